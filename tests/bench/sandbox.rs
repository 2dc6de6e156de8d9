//! The core in wasmtime against the native core. Prints the ratios of what it measured.
//!
//! FLOWHOLD_BENCH_COMPONENT names another build of the core to be measured, such as one with another `opt-level`: a
//! file that `flowhold component` wrote.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "benchmarks stop at what they don't expect")]
#![forbid(unsafe_code)]

use std::{
    env, fs,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion};
use flowhold::{Host, Plan, Session, SpecText};
use flowhold_bench::{plan, plan_in, runtime, session, spec, spec_text};
use flowhold_core::serialized;

fn main() {
    // A new folder, apart from the other benchmarks' results, so that only what runs now is compared.
    let results = tempfile::tempdir().unwrap();
    let mut criterion = Criterion::default().output_directory(results.path()).configure_from_args();
    let host = match env::var_os("FLOWHOLD_BENCH_COMPONENT") {
        Some(path) => Host::builder().component(fs::read(path).unwrap()).build().unwrap(),
        None => Host::builder().build().unwrap(),
    };
    instantiate(&mut criterion, &host);
    call(&mut criterion, &host);
    plans(&mut criterion, &host);
    criterion.final_summary();
    print_ratios(results.path());
}

fn instantiate(criterion: &mut Criterion, host: &Host) {
    let runtime = runtime();
    criterion.bench_function("instantiate", |bencher| {
        bencher.iter(|| runtime.block_on(session(host)));
    });
}

/// Measures how long a text of 1 KB takes into the core, and a record of 1 KB out of it.
fn call(criterion: &mut Criterion, host: &Host) {
    let runtime = runtime();
    let mut session = runtime.block_on(session(host));
    let name = "x".repeat(1024);

    const STORAGE: &[u8] = br#"{ "type": "Docker", "image_name": "a", "image_tag": "b", "prefect_version": "0.6.6", "flows": {}, "__version__": "0.6.6" }"#;
    let storage = runtime.block_on(session.deserialize(STORAGE)).unwrap();
    let mut group = criterion.benchmark_group("1 KB in");
    group.bench_function("wasmtime", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..rounds {
                    assert!(!session.contains(storage, black_box(&name)).await.unwrap());
                }
                began.elapsed()
            })
        });
    });
    let native = serialized::from_bytes(STORAGE).unwrap();
    group.bench_function("native", |bencher| bencher.iter(|| native.contains(black_box(&name))));
    group.finish();

    // An unknown key is repeated in its diagnostic.
    let text = spec_text(format!("[storage]\ntype = \"docker\"\n{name} = 1\n"));
    let preview = plan(&text.text);
    assert_eq!(preview.diagnostics.len(), 1);
    let plan = runtime.block_on(plan_in(&mut session, &text));
    let mut group = criterion.benchmark_group("1 KB out");
    group.bench_function("wasmtime", |bencher| {
        bencher.iter_custom(|rounds| runtime.block_on(diagnostics(&mut session, plan, rounds)));
    });
    group.bench_function("native", |bencher| bencher.iter(|| preview.diagnostics.clone()));
    group.finish();
}

async fn diagnostics(session: &mut Session, plan: Plan, rounds: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(session.diagnostics(plan).await.unwrap());
    }
    began.elapsed()
}

fn plans(criterion: &mut Criterion, host: &Host) {
    let runtime = runtime();
    for flows in [1, 1000] {
        let text = spec_text(spec(flows));
        let mut group = criterion.benchmark_group(format!("plan {flows}"));
        group.bench_function("wasmtime", |bencher| {
            let fresh = || runtime.block_on(session(host));
            let planned = |mut session| {
                let plan = runtime.block_on(plan_in(&mut session, &text));
                (session, plan)
            };
            bencher.iter_batched(fresh, planned, BatchSize::PerIteration);
        });
        let mut used = runtime.block_on(session(host));
        group.bench_function("used session", |bencher| {
            bencher.iter_custom(|rounds| runtime.block_on(plan_again(&mut used, &text, rounds)));
        });
        group.bench_function("native", |bencher| {
            bencher.iter_batched(|| (), |()| plan(&text.text), BatchSize::PerIteration);
        });
        group.finish();
    }
}

/// Plans in memory that the session already has, as the native core does.
async fn plan_again(session: &mut Session, text: &SpecText, rounds: u64) -> Duration {
    let mut elapsed = Duration::ZERO;
    for _ in 0..rounds {
        let began = Instant::now();
        let plan = plan_in(session, text).await;
        elapsed += began.elapsed();
        session.forget(plan).await.unwrap();
    }
    elapsed
}

/// Prints ratios from the files that criterion wrote: its results can't be had otherwise.
fn print_ratios(results: &Path) {
    let nanoseconds = |name: &str| {
        let file = fs::read(results.join(name).join("new/estimates.json")).ok()?;
        let estimates: serde_json::Value = serde_json::from_slice(&file).ok()?;
        estimates["median"]["point_estimate"].as_f64()
    };
    println!("| measured in one run | wasmtime | native | |");
    println!("|---|---|---|---|");
    if let Some(time) = nanoseconds("instantiate") {
        println!("| instantiate, and drop | {:.1} µs | | goal 100 µs |", time / 1e3);
    }
    let both = |name: &str| Some((nanoseconds(&format!("{name}/wasmtime"))?, nanoseconds(&format!("{name}/native"))?));
    for name in ["1 KB in", "1 KB out"] {
        let Some((wasmtime, native)) = both(name) else { continue };
        let more = (wasmtime - native) / 1e3;
        println!("| {name} | {:.2} µs | {:.2} µs | {more:.2} µs more, goal 10 µs |", wasmtime / 1e3, native / 1e3);
    }
    for (name, goal) in [("plan 1", ""), ("plan 1000", ", goal 1.5")] {
        let Some(native) = nanoseconds(&format!("{name}/native")) else { continue };
        for (session, title) in [("wasmtime", "in a new session"), ("used session", "in a used session")] {
            let Some(wasmtime) = nanoseconds(&format!("{name}/{session}")) else { continue };
            let ratio = wasmtime / native;
            println!("| {name} {title} | {:.3} ms | {:.3} ms | {ratio:.2} times{goal} |", wasmtime / 1e6, native / 1e6);
        }
    }
}
