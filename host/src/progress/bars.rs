//! Progress for people at a terminal: a spinner for the current step, a bar for each layer on its way.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::{Colour, Event, Progress, Stderr, clean, layer_is_done, plain, size};

/// How often per second the bars are drawn.
const RATE: u8 = 20;

/// Bars that are redrawn in place; a step that is over becomes a line above them.
pub struct Bars {
    screen: MultiProgress,
    colour: Colour,
    drawn: Mutex<Drawn>,
}

#[derive(Default)]
struct Drawn {
    spinner: Option<ProgressBar>,
    /// The spinner's text before the last line of the log.
    step: Option<String>,
    layers: HashMap<String, ProgressBar>,
}

impl Bars {
    /// Draws on standard error.
    #[must_use]
    pub fn stderr(colour: Colour) -> Self {
        let terminal = Terminal { term: Term::stderr(), picture: Mutex::default() };
        Self::on(ProgressDrawTarget::term_like_with_hz(Box::new(terminal), RATE), colour)
    }

    fn on(target: ProgressDrawTarget, colour: Colour) -> Self {
        Self { screen: MultiProgress::with_draw_target(target), colour, drawn: Mutex::default() }
    }

    /// The style of a template that is known to be good; if it were not, the default would be drawn.
    fn style(&self, coloured: &str, plain: &str) -> ProgressStyle {
        let template = match self.colour {
            Colour::On => coloured,
            Colour::Off => plain,
        };
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
    }

    fn spin(&self, drawn: &mut Drawn, message: String) {
        let spinner = drawn.spinner.get_or_insert_with(|| {
            let style = self.style("{spinner:.cyan} {wide_msg}", "{spinner} {wide_msg}");
            let spinner = self.screen.add(ProgressBar::new_spinner().with_style(style));
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        spinner.set_message(message);
    }

    /// Ends the current step, which becomes a line.
    fn end_step(&self, drawn: &mut Drawn) {
        if let Some(step) = drawn.step.take() {
            self.say(&step);
        }
    }

    fn layer(&self, drawn: &mut Drawn, id: &str, status: &str, amount: (Option<u64>, Option<u64>)) {
        let bar = drawn.layers.entry(id.to_owned()).or_insert_with(|| {
            let style = self.style(
                "  {prefix} {msg:18} [{bar:24.cyan}] {bytes}/{total_bytes}",
                "  {prefix} {msg:18} [{bar:24}] {bytes}/{total_bytes}",
            );
            let id = clean(id).into_owned();
            self.screen.add(ProgressBar::new(0).with_style(style)).with_prefix(id)
        });
        if layer_is_done(status) {
            bar.finish_and_clear();
            drawn.layers.remove(id);
            return;
        }
        if let (Some(current), Some(total)) = amount {
            bar.set_length(total);
            bar.set_position(current);
        }
        bar.set_message(clean(status).into_owned());
    }

    fn say(&self, line: &str) {
        let _ = self.screen.println(clean(line));
    }
}

impl Progress for Bars {
    fn event(&self, event: Event<'_>) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let line = plain::line(&event).unwrap_or_default();
        match event {
            Event::Started { .. } => self.spin(&mut drawn, clean(&line).into_owned()),
            Event::Context { bytes_sent, bytes_total, .. } => {
                // The daemon starts with the first step only when it has all of the context.
                let (sent, total) = (size(bytes_sent), size(bytes_total));
                self.spin(&mut drawn, format!("sending the build context, {sent} of {total}"));
            }
            Event::Step { .. } => {
                self.end_step(&mut drawn);
                let step = clean(&line).into_owned();
                self.spin(&mut drawn, step.clone());
                drawn.step = Some(step);
            }
            Event::Cached { .. } => {
                if let Some(step) = &mut drawn.step {
                    step.push_str(" (cached)");
                }
            }
            Event::Log { line } => {
                let message = match &drawn.step {
                    Some(step) => format!("{step} | {}", clean(line)),
                    None => clean(line).into_owned(),
                };
                self.spin(&mut drawn, message);
            }
            Event::Layer { id, status, current, total } => self.layer(&mut drawn, id, status, (current, total)),
            Event::Message { .. } => self.say(&line),
            Event::Finished { .. } | Event::Failed { .. } => {
                self.end_step(&mut drawn);
                for (_, bar) in drawn.layers.drain() {
                    bar.finish_and_clear();
                }
                // Written while the spinner is still below, so that the line gets its end.
                self.say(&line);
                if let Some(spinner) = drawn.spinner.take() {
                    spinner.finish_and_clear();
                }
            }
        }
    }
}

/// A terminal that the thread of [`Stderr`] draws on: a terminal that stands still must not stop a build.
#[derive(Debug)]
struct Terminal {
    term: Term,
    /// The text to draw next.
    picture: Mutex<String>,
}

impl Terminal {
    fn draw(&self, text: &str) -> io::Result<()> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    /// Moves the cursor in the direction that the letter means.
    fn move_cursor(&self, by: usize, direction: char) -> io::Result<()> {
        if by == 0 { Ok(()) } else { self.draw(&format!("\x1b[{by}{direction}")) }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'A')
    }

    fn move_cursor_down(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'B')
    }

    fn move_cursor_right(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'C')
    }

    fn move_cursor_left(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.draw(text)?;
        self.draw("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let picture = std::mem::take(&mut *self.picture.lock().unwrap_or_else(PoisonError::into_inner));
        Stderr.write_all(picture.as_bytes())
    }
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars").field("colour", &self.colour).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Operation;
    use super::*;

    /// Keeps the written text, without cursor movements.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }
        fn height(&self) -> u16 {
            50
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bars(colour: Colour) -> (Bars, Paper) {
        let paper = Paper::default();
        (Bars::on(ProgressDrawTarget::term_like(Box::new(paper.clone())), colour), paper)
    }

    #[test]
    fn what_is_over_becomes_a_clean_line() {
        let (bars, paper) = bars(Colour::Off);
        bars.event(Event::Started { operation: Operation::Build, subject: "acme/etl:1" });
        bars.event(Event::Step { index: 1, total: 2, name: "FROM \u{1b}[2Jbase" });
        bars.event(Event::Cached { index: 1 });
        bars.event(Event::Step { index: 2, total: 2, name: "RUN check" });
        bars.event(Event::Log { line: "\u{1b}]0;owned\u{7}hello" });
        bars.event(Event::Message { text: "by the way" });
        bars.event(Event::Failed { operation: Operation::Build, seconds: 2.0 });
        let text = paper.0.lock().unwrap().clone();
        for expected in
            ["step 1/2: FROM base (cached)", "step 2/2: RUN check", "by the way", "build failed after 2.0 s"]
        {
            assert!(text.contains(expected), "{expected:?} is missing in {text:?}");
        }
        assert!(!text.contains("owned") && !text.contains("\u{1b}[2J"), "{text:?}");
        let drawn = bars.drawn.lock().unwrap();
        assert!(drawn.spinner.is_none() && drawn.step.is_none());
    }

    #[test]
    fn a_layer_has_a_bar_until_it_is_done() {
        let (bars, paper) = bars(Colour::Off);
        let moving = |status, current| Event::Layer { id: "5f70", status, current, total: Some(4096) };
        bars.event(moving("Pushing", Some(1024)));
        assert_eq!(bars.drawn.lock().unwrap().layers["5f70"].position(), 1024);
        bars.event(moving("Pushed", None));
        assert!(bars.drawn.lock().unwrap().layers.is_empty());
        assert!(paper.0.lock().unwrap().contains("5f70 Pushing"));
    }
}
