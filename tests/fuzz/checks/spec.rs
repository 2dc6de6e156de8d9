//! Any text as a spec: it is read, resolved as far as it pins what it names, planned, and written in every format.

use std::rc::Rc;

use flowhold_core::{preview::Preview, resolve::Facts, spec::Spec};

fn preview(text: &str) -> Preview {
    let (spec, diagnostics) = Spec::parse(text);
    let facts = spec.as_ref().map(Facts::skipping).unwrap_or_default();
    Preview::of(spec.map(Rc::new), diagnostics, facts)
}

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let first = preview(text);
    // A text that ends too early has its error on the line after the last line end.
    let lines = u32::try_from(text.split('\n').count()).unwrap_or(u32::MAX);
    for diagnostic in &first.diagnostics {
        assert!(diagnostic.line.is_none_or(|line| line >= 1 && line <= lines), "{diagnostic:?}");
        assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
    }
    let json = flowhold_core::json::Json::from(first.to_json(None)).to_string();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    assert_eq!(Spec::places(text), Spec::places(text));
    // A resolved spec means the same when it is read again, and leaves nothing to find.
    if let Some(resolved) = &first.resolved {
        let again = preview(&resolved.to_json().to_string());
        assert_eq!(again.digest(), first.digest());
        assert_eq!(
            again.resolved.as_ref().map(|spec| spec.to_json().to_string()),
            Some(resolved.to_json().to_string())
        );
        assert_eq!(again.plan.map(|plan| plan.dockerfile), first.plan.map(|plan| plan.dockerfile));
    }
}
