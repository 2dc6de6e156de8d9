//! The forecast: which steps of a Dockerfile the daemon would take from its cache, and which it would run again, after
//! the plan has changed.
//!
//! Both builders of Docker take a step from the cache as long as no step before it ran again, its instruction is the
//! same to the letter, and, for COPY, everything that it copies has the same path, mode, kind and bytes. The forecast
//! does not foresee a daemon that has lost its cache or has cached more than the earlier plan, nor a base image that
//! changed under its name.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    diagnostic::Code,
    dockerfile, document,
    failure::Failure,
    json::{self, Json},
    plan::BuildPlan,
    preview::{ContextLine, context_lines},
    reader::{Field, Reader},
};

/// The forecast for one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastStep {
    /// The first line of the step in the Dockerfile, counted from 1.
    pub line: u32,
    /// Whether the daemon would take it from its cache.
    pub cached: bool,
    /// Why, in words.
    pub reason: String,
}

/// The parts of a plan that decide which steps are cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOutline {
    platform: Option<String>,
    dockerfile: String,
    context: Vec<ContextLine>,
}

impl PlanOutline {
    /// The outline of a plan.
    pub fn of(plan: &BuildPlan) -> Self {
        let (platform, dockerfile) = (plan.platform.clone(), plan.dockerfile.clone());
        Self { platform, dockerfile, context: context_lines(&plan.context).collect() }
    }

    /// The outline of an earlier plan, read from the output of `flowhold preview --format json`.
    ///
    /// # Errors
    /// If the text is not a preview, or is the preview of a storage without an image.
    pub fn from_json(text: &str) -> Result<Self, Failure> {
        let refuse = |message: String| {
            Failure::input(Code::InvalidPreview, message)
                .with_help("keep one for later: flowhold preview --format json > old.json")
        };
        let node =
            document::parse_json(text).map_err(|error| refuse(format!("not an earlier preview: {}", error.message)))?;
        let mut reader = Reader::default();
        let outline = read(&mut reader, &Field { path: String::new(), node: &node });
        match reader.diagnostics.into_iter().next() {
            Some(diagnostic) => Err(refuse(format!("not an earlier preview: {}", diagnostic.message))),
            None => outline.ok_or_else(|| refuse("the earlier preview has no Dockerfile".to_owned())),
        }
    }
}

fn read(reader: &mut Reader, field: &Field<'_>) -> Option<PlanOutline> {
    let mut table = reader.table(field)?;
    let platform = table.field("platform").and_then(|field| reader.text(&field).map(str::to_owned));
    let dockerfile = table.field("dockerfile").and_then(|field| reader.text(&field));
    let context = table.field("context").map_or_else(Vec::new, |field| reader.elements(&field));
    let context = context.into_iter().filter_map(|field| read_line(reader, &field)).collect();
    Some(PlanOutline { platform, dockerfile: dockerfile?.to_owned(), context })
}

fn read_line(reader: &mut Reader, field: &Field<'_>) -> Option<ContextLine> {
    let mut table = reader.table(field)?;
    let text = |reader: &mut Reader, field: Option<Field<'_>>| reader.text(&field?).map(str::to_owned);
    let path = text(reader, table.field("path"));
    let size = table.field("size").and_then(|field| reader.number(&field));
    let sha256 = text(reader, table.field("sha256"));
    let mode = table.field("mode").and_then(|field| u32::try_from(reader.number(&field)?).ok());
    let link = text(reader, table.field("link"));
    let (Some(path), Some(mode)) = (path, mode) else {
        reader.report(Code::InvalidPreview, field, format!("{} has no path or no mode", field.path), None);
        return None;
    };
    Some(ContextLine { path, size, sha256, mode, link })
}

/// One step of a Dockerfile, and what decides whether it is cached.
struct Step<'o> {
    line: u32,
    instruction: &'o str,
    context: &'o [ContextLine],
}

impl From<ForecastStep> for Json {
    fn from(step: ForecastStep) -> Self {
        Self::object(vec![("line", step.line.into()), ("cached", step.cached.into()), ("reason", step.reason.into())])
    }
}

/// Which steps of `now` would be cached by a daemon that has built `earlier`.
pub fn forecast(earlier: &PlanOutline, now: &PlanOutline) -> Vec<ForecastStep> {
    let before = steps(earlier);
    let mut first_again = None;
    let steps = steps(now).into_iter().enumerate().map(|(index, step)| {
        let reason = match first_again {
            Some(line) => Some(format!("the step of line {line} runs again, and so does all after it")),
            None if earlier.platform != now.platform => Some("the platform changed".to_owned()),
            None => difference(before.get(index), &step),
        };
        if reason.is_some() {
            first_again.get_or_insert(step.line);
        }
        let cached = reason.is_none();
        ForecastStep { line: step.line, cached, reason: reason.unwrap_or_else(|| "nothing changed".to_owned()) }
    });
    steps.collect()
}

fn steps(outline: &PlanOutline) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut line = 1;
    let mut rest = outline.dockerfile.as_str();
    while !rest.is_empty() {
        let (length, lines) = instruction(rest);
        let (text, tail) = rest.split_at(length);
        let text = text.trim_end_matches('\n');
        steps.push(Step { line, instruction: text, context: &outline.context });
        line += lines;
        rest = tail;
    }
    steps
}

/// Bytes and lines of the first instruction: a line that ends in a backslash continues in the next one.
fn instruction(text: &str) -> (usize, u32) {
    let mut length = 0;
    let mut lines = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        lines += 1;
        if !line.trim_end_matches('\n').ends_with('\\') {
            break;
        }
    }
    (length, lines)
}

/// The paths that a COPY copies, each with its index in the context; empty for other instructions.
fn copied(step: &Step<'_>) -> BTreeMap<Arc<str>, usize> {
    let words = step.instruction.strip_prefix("COPY ").and_then(|words| json::parse(words).ok());
    let Some(Json::Array(words)) = words else { return BTreeMap::new() };
    let [Json::String(source), Json::String(_)] = words.as_slice() else { return BTreeMap::new() };
    let mut copied = BTreeMap::new();
    for (place, entry) in step.context.iter().enumerate() {
        if dockerfile::copies(source, &entry.path) {
            copied.insert(Arc::from(entry.path.as_str()), place);
        }
    }
    copied
}

/// Why a step runs again although all steps before it are cached; `None` if it is cached, too.
fn difference(before: Option<&Step<'_>>, now: &Step<'_>) -> Option<String> {
    let Some(before) = before else { return Some("the step is new".to_owned()) };
    if before.instruction != now.instruction {
        return Some("the instruction changed".to_owned());
    }
    let (earlier, latest) = (copied(before), copied(now));
    let added_or_changed = latest.iter().filter_map(|(path, place)| {
        let entry = &now.context[*place];
        match earlier.get(path) {
            None => Some(format!("{path} is new")),
            Some(place) if before.context[*place] != *entry => Some(format!("{path} changed")),
            Some(_) if entry.sha256.is_none() => Some(format!("the bytes of {path} are not known")),
            Some(_) => None,
        }
    });
    let gone = earlier.keys().filter(|path| !latest.contains_key(*path));
    let mut changes = added_or_changed.chain(gone.map(|path| format!("{path} is gone")));
    let first = changes.next()?;
    Some(match changes.count() {
        0 => first,
        more => format!("{first}, and {more} more"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(dockerfile: &str, context: &[(&str, &str)]) -> PlanOutline {
        let line = |&(path, sha256): &(&str, &str)| ContextLine {
            path: path.to_owned(),
            size: Some(1),
            sha256: Some(sha256.to_owned()),
            mode: 0o644,
            link: None,
        };
        let context = context.iter().map(line).collect();
        PlanOutline { platform: None, dockerfile: dockerfile.to_owned(), context }
    }

    const FILE: &str = "FROM a\nENV A=\"1\" \\\n    B=\"2\"\nCOPY [\"flows/\", \"/x/\"]\nRUN [\"check\"]\n";

    /// Line, cached, and the words of the reason.
    fn check(earlier: &PlanOutline, now: &PlanOutline, expected: &[(u32, bool, &str)]) {
        let steps = forecast(earlier, now);
        let seen: Vec<_> = steps.iter().map(|step| (step.line, step.cached, step.reason.as_str())).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn nothing_changed() {
        let outline = outline(FILE, &[("flows/a", "1")]);
        let cached = "nothing changed";
        check(&outline, &outline, &[(1, true, cached), (2, true, cached), (4, true, cached), (5, true, cached)]);
    }

    #[test]
    fn what_changed_runs_again_and_all_after_it() {
        let cached = "nothing changed";
        let before = outline(FILE, &[("flows/a", "1"), ("flowsother", "1")]);
        let after = "the step of line 4 runs again, and so does all after it";
        for (context, reason) in [
            (vec![("flows/a", "2")], "flows/a changed"),
            (vec![("flows/a", "1"), ("flows/b", "1")], "flows/b is new"),
            (vec![("flowsother", "2")], "flows/a is gone"),
            (vec![("flows/c", "1"), ("flows/b", "1")], "flows/b is new, and 2 more"),
        ] {
            let now = outline(FILE, &context);
            check(&before, &now, &[(1, true, cached), (2, true, cached), (4, false, reason), (5, false, after)]);
        }
        let variable = FILE.replace("B=\"2\"", "B=\"3\"");
        let steps = forecast(&before, &outline(&variable, &[("flows/a", "1")]));
        assert_eq!(steps.iter().map(|step| step.cached).collect::<Vec<_>>(), [true, false, false, false]);
    }

    #[test]
    fn a_file_whose_name_docker_would_read_otherwise_is_found() {
        let path = "files/0/it's [1]?.bin";
        let dockerfile = "FROM a\nCOPY [\"files/0/it\\\\'s ?1]?.bin\", \"/x\"]\n";
        let [before, now] = ["1", "2"].map(|sha256| outline(dockerfile, &[(path, sha256)]));
        check(&before, &now, &[(1, true, "nothing changed"), (2, false, "files/0/it's [1]?.bin changed")]);
    }

    #[test]
    fn another_platform_is_another_image() {
        let before = outline("FROM a\n", &[]);
        let now = PlanOutline { platform: Some("linux/arm64".to_owned()), ..before.clone() };
        check(&before, &now, &[(1, false, "the platform changed")]);
        check(&now, &now, &[(1, true, "nothing changed")]);
    }

    #[test]
    fn rubbish_is_no_earlier_preview() {
        for text in ["", "[]", "{}", "{\"dockerfile\": null}", "{\"dockerfile\": \"FROM x\", \"context\": 1}"] {
            assert_eq!(PlanOutline::from_json(text).unwrap_err().code, "invalid-preview", "{text}");
        }
    }
}
