//! A policy that obeys the variable `ORDER` of the plan that it is told.
#![expect(clippy::panic, reason = "breaking is what it is for")]

use self::exports::flowhold::storage::{
    judging::Guest,
    plans::{BuildPlan, Severity, Verdict},
};

wit_bindgen::generate!({ path: "../../../core/wit", world: "policy" });

struct Policy;

export!(Policy);

impl Guest for Policy {
    fn judge(plan: BuildPlan) -> Vec<Verdict> {
        let order = plan.variables.iter().find(|variable| variable.name == "ORDER").map(|one| one.value.as_str());
        let says = |code: &str, message: String| Verdict {
            code: code.to_owned(),
            severity: Severity::Warning,
            field: "storage.env_vars.ORDER".to_owned(),
            message,
            help: None,
        };
        match order {
            Some("tell") => vec![says("told", format!("{plan:?}"))],
            Some("trap") => panic!(),
            Some("loop") => loop {
                std::hint::black_box(());
            },
            Some("grow") => {
                let mut all = Vec::new();
                loop {
                    all.push(vec![1u8; 1 << 20]);
                }
            }
            Some("many") => vec![says("many", String::new()); 1_001],
            Some("escape") => vec![says("escape", "\x1b[2J\x07gone".to_owned())],
            Some("code") => vec![says("\x1b[2J", "a code that is none".to_owned())],
            Some("long") => vec![says("long", "x".repeat(16 << 20))],
            Some("field") => {
                vec![Verdict { field: "storage[[[\"\n\x1b".to_owned(), ..says("field", "odd".to_owned()) }]
            }
            _ => Vec::new(),
        }
    }
}
