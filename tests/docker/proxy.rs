//! A registry with faults: a proxy that passes on what the real one says, unless a test demands a fault.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use flowhold_tests::environment;

/// A proxy between the daemon and a registry, which ends with the tests.
pub(crate) struct Proxy {
    /// Host and port.
    pub(crate) address: String,
    behind: Arc<Behind>,
}

/// The registry behind a proxy, and the faults to come.
struct Behind {
    registry: String,
    rules: Mutex<Vec<Rule>>,
    closed: AtomicBool,
}

/// What happens to requests whose line, such as `GET /v2/a/manifests/1 HTTP/1.1`, has these parts in it.
struct Rule {
    parts: &'static [&'static str],
    /// How often the rule still applies.
    left: usize,
    used: usize,
    fault: Fault,
}

/// What goes wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Status and headers of the answer that is given instead.
    Answer(&'static str),
    /// The real answer ends after this many bytes.
    Cut(usize),
    /// Each piece of the real answer takes this long.
    Slow(Duration),
    /// The proxy tells that it was reached, and then sends nothing for as long as the client waits.
    Stall(Sender<()>),
    /// Something happens first, and then this status and headers are the answer.
    After(Arc<dyn Fn() + Send + Sync>, &'static str),
    /// Something happens when part of the request's body, or else of the answer, has passed.
    During(Arc<dyn Fn() + Send + Sync>),
}

impl Proxy {
    /// A proxy in front of the registry of the tests.
    pub(crate) fn new() -> Self {
        Self::of(&environment("FLOWHOLD_TEST_REGISTRY"))
    }

    /// A proxy in front of this registry.
    pub(crate) fn of(registry: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let behind = Behind { registry: registry.to_owned(), rules: Mutex::default(), closed: AtomicBool::new(false) };
        let proxy = Self { address, behind: Arc::new(behind) };
        proxy.listen(listener);
        proxy
    }

    fn listen(&self, listener: TcpListener) {
        let behind = Arc::clone(&self.behind);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if behind.closed.load(Ordering::SeqCst) {
                    return;
                }
                let behind = Arc::clone(&behind);
                // Many tests break connections in the middle, so errors are expected.
                thread::spawn(move || serve(connection, &behind).ok());
            }
        });
    }

    /// Connections are refused from now on, as they are where no process listens.
    pub(crate) fn close(&self) {
        self.behind.closed.store(true, Ordering::SeqCst);
        // The thread looks at the flag when a connection comes.
        while TcpStream::connect(&self.address).is_ok() {}
    }

    /// Connections are accepted again, at the same address.
    pub(crate) fn open(&self) {
        self.behind.closed.store(false, Ordering::SeqCst);
        self.listen(TcpListener::bind(&self.address).unwrap());
    }

    /// The next `times` requests of this kind fail.
    pub(crate) fn fail(&self, parts: &'static [&'static str], times: usize, fault: Fault) {
        self.behind.rules.lock().unwrap().push(Rule { parts, left: times, used: 0, fault });
    }

    /// Requests of this kind are never answered. The receiver is told of each one.
    pub(crate) fn stall(&self, parts: &'static [&'static str]) -> Receiver<()> {
        let (reached, stalled) = mpsc::channel();
        self.fail(parts, usize::MAX, Fault::Stall(reached));
        stalled
    }

    /// How many requests have failed; from now on none does.
    pub(crate) fn heal(&self) -> usize {
        self.behind.rules.lock().unwrap().drain(..).map(|rule| rule.used).sum()
    }
}

fn fault_of(request: &str, rules: &Mutex<Vec<Rule>>) -> Option<Fault> {
    let mut rules = rules.lock().unwrap();
    let rule = rules.iter_mut().find(|rule| rule.left > 0 && rule.parts.iter().all(|part| request.contains(part)))?;
    rule.left -= 1;
    rule.used += 1;
    Some(rule.fault.clone())
}

fn serve(client: TcpStream, behind: &Behind) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (request, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let fault = fault_of(request, &behind.rules);
    match &fault {
        Some(Fault::Stall(reached)) => {
            reached.send(()).ok();
            // Waits until the client has gone.
            io::copy(&mut reader, &mut io::sink())?;
            return Ok(());
        }
        Some(Fault::After(act, answer)) => {
            act();
            return refuse(client, reader, headers, answer);
        }
        Some(Fault::Answer(answer)) => return refuse(client, reader, headers, answer),
        Some(Fault::Cut(_) | Fault::Slow(_) | Fault::During(_)) | None => {}
    }

    let mut registry = TcpStream::connect(&behind.registry)?;
    // One request for each connection keeps this simple.
    let others = headers.split("\r\n").filter(|line| !line.to_lowercase().starts_with("connection:"));
    let headers = others.collect::<Vec<_>>().join("\r\n");
    write!(registry, "{request}\r\nConnection: close\r\n{headers}")?;
    let mut to_registry = registry.try_clone()?;
    let mut piece = [0; 16 << 10];
    let sends = request.starts_with('P');
    if let Some(Fault::During(act)) = &fault
        && sends
    {
        let read = reader.read(&mut piece)?;
        // Passes only half of it: a manifest is short, and the registry must not store it before the fault.
        let (first, rest) = piece[..read].split_at(read / 2);
        to_registry.write_all(first)?;
        act();
        let _ = to_registry.write_all(rest);
    }
    thread::spawn(move || io::copy(&mut reader, &mut to_registry).ok());
    let mut to_client = client.try_clone()?;
    let mut passed = 0;
    loop {
        // A registry that was killed resets its connections, which ends the answer, too.
        let mut read = registry.read(&mut piece).unwrap_or(0);
        match fault {
            Some(Fault::Cut(at)) => read = read.min(at - passed),
            Some(Fault::Slow(pause)) => thread::sleep(pause),
            _ => {}
        }
        if read == 0 {
            return client.shutdown(Shutdown::Both);
        }
        to_client.write_all(&piece[..read])?;
        if let Some(Fault::During(act)) = &fault
            && !sends
            && passed == 0
        {
            act();
        }
        passed += read;
    }
}

/// Answers without asking the registry.
fn refuse(mut client: TcpStream, mut reader: BufReader<TcpStream>, headers: &str, answer: &str) -> io::Result<()> {
    let length = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().ok())?
    });
    // Closing a connection with something unread would discard the answer.
    io::copy(&mut (&mut reader).take(length.unwrap_or(0)), &mut io::sink())?;
    write!(client, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    client.shutdown(Shutdown::Write)?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok(())
}
