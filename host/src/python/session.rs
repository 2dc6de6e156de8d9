//! A conversation between this program and `pickle_flows.py`: one order, and lines of answers.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, process::Child, sync::mpsc::Sender};
use tokio_util::sync::CancellationToken;

use crate::inputs::Listing;

use super::{PickleRequest, PythonError, PythonFacts, lines::Lines};

const ANSWER: &str = "flowhold-answer ";

/// The JSON that `pickle_flows.py` reads.
pub(super) fn order(requests: &[PickleRequest], wanted: &[usize], directory: &Path) -> Result<Vec<u8>, PythonError> {
    #[derive(Serialize)]
    struct Order<'a> {
        directory: &'a str,
        requests: Vec<Wanted<'a>>,
    }
    #[derive(Serialize)]
    struct Wanted<'a> {
        index: usize,
        file: &'a str,
        object: &'a str,
    }
    fn text(path: &Path, request: Option<usize>) -> Result<&str, PythonError> {
        path.to_str().ok_or_else(|| PythonError::NotUnicode { request, file: path.to_owned() })
    }
    let wanted = wanted.iter().filter_map(|index| Some((*index, requests.get(*index)?)));
    let wanted =
        wanted.map(|(index, asked)| Ok(Wanted { index, file: text(&asked.file, Some(index))?, object: &asked.object }));
    let order = Order { directory: text(directory, None)?, requests: wanted.collect::<Result<_, PythonError>>()? };
    Ok(serde_json::to_vec(&order).unwrap_or_default())
}

/// The result of a run of `pickle_flows.py`.
pub(super) struct Session {
    pub(super) answers: Vec<Answer>,
    /// The last line that it printed to stderr.
    pub(super) last_line: Option<String>,
    pub(super) status: ExitStatus,
}

/// A line of `pickle_flows.py`.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Answer {
    Facts(PythonFacts),
    Begin {
        request: usize,
    },
    Pickled {
        request: usize,
        name: Option<String>,
    },
    /// A part of the trace that follows, if that is too long for one line.
    TracePart {
        #[serde(default)]
        reads: Vec<PathBuf>,
        #[serde(default)]
        listings: Vec<(PathBuf, bool)>,
    },
    Trace(Traced),
    Done,
    #[serde(untagged)]
    Refused(Refusal),
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
    #[serde(flatten)]
    pub(super) reason: Reason,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Reason {
    NoCloudpickle,
    Unreadable,
    Import { line: Option<u32> },
    NoObject { near: Vec<String> },
    NotRunnable { near: Vec<String> },
    NotPicklable { part: String },
    Unwritten { errno: i32 },
}

/// What the pickles of a file were made from.
#[derive(Deserialize)]
pub(super) struct Traced {
    /// Digest of the file itself, as it was executed.
    pub(super) source: String,
    /// Whether the trace is complete.
    pub(super) complete: bool,
    /// Files that were read, whether they were there or not.
    pub(super) reads: Vec<PathBuf>,
    /// Directories that were listed; the flag tells those in which only modules were looked for.
    pub(super) listings: Vec<(PathBuf, bool)>,
}

impl Traced {
    pub(super) fn listings(&self) -> impl Iterator<Item = (&Path, Listing)> {
        let kind = |imports: bool| if imports { Listing::Modules } else { Listing::Names };
        self.listings.iter().map(move |(path, imports)| (path.as_path(), kind(*imports)))
    }
}

impl Session {
    /// Gives the order to a Python that was started for it, and listens until it has ended. Each line that the user's
    /// code prints goes to `printed`.
    ///
    /// # Errors
    /// If the process can't be waited for.
    pub(super) async fn hold(mut child: Child, order: &[u8], printed: Option<&Sender<String>>) -> io::Result<Self> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut answers, mut last_line, ended) = (Vec::new(), None, CancellationToken::new());
        let status = {
            let talk = async {
                tokio::join!(
                    async {
                        if let Some(mut stdin) = stdin {
                            // A program that doesn't read the order is no usable Python, as its answers show.
                            let _ = ended.run_until_cancelled(stdin.write_all(order)).await;
                        }
                    },
                    async {
                        let mut lines = Lines::of(stdout, &ended);
                        while let Some(line) = lines.next().await {
                            let answer = line.strip_prefix(ANSWER).and_then(|json| serde_json::from_str(json).ok());
                            answers.extend(answer);
                        }
                    },
                    async {
                        let mut lines = Lines::of(stderr, &ended);
                        while let Some(line) = lines.next().await {
                            if !line.trim().is_empty() {
                                last_line = Some(line.trim().to_owned());
                            }
                            if let Some(printed) = printed {
                                // If nobody listens any more, that is no reason to fail.
                                let _ = printed.send(line).await;
                            }
                        }
                    },
                )
            };
            tokio::pin!(talk);
            tokio::select! {
                _ = &mut talk => child.wait().await,
                status = child.wait() => {
                    ended.cancel();
                    talk.await;
                    status
                }
            }
        };
        Ok(Self { answers, last_line, status: status? })
    }
}
