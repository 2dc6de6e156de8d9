//! The core, compiled natively.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at what they don't expect")]
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flowhold_bench::{bytes_storage, names, plan, spec};
use flowhold_core::{
    digest::Digest,
    dockerfile::{self, Mounts},
    slug, snapshot,
};

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core/plan");
    for flows in [1, 100, 10_000] {
        let text = spec(flows);
        assert!(plan(&text).plan.is_some());
        group.throughput(Throughput::Elements(flows as u64));
        group.bench_function(flows.to_string(), |bencher| {
            bencher.iter_batched(|| (), |()| plan(black_box(&text)), BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn results(criterion: &mut Criterion) {
    for flows in [1, 10_000] {
        let preview = plan(&spec(flows));
        let instructions = &preview.plan.as_ref().unwrap().instructions;
        let named = |what: &str| format!("core/{what}/{flows}");
        criterion
            .bench_function(&named("render"), |bencher| bencher.iter(|| dockerfile::render(instructions, Mounts::All)));
        criterion.bench_function(&named("json"), |bencher| bencher.iter(|| preview.to_json(None)));
        criterion.bench_function(&named("archive"), |bencher| bencher.iter(|| preview.archive()));
    }
}

fn digests(criterion: &mut Criterion) {
    let bytes = vec![7; 1 << 20];
    let mut group = criterion.benchmark_group("core/digest");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("1 MiB", |bencher| bencher.iter(|| Digest::of(black_box(&bytes))));
    group.finish();
}

fn slugs(criterion: &mut Criterion) {
    let names = names();
    let mut group = criterion.benchmark_group("core/slug");
    group.throughput(Throughput::Elements(names.len() as u64));
    let all = || names.iter().filter(|name| slug::slugify(name).is_ok()).count();
    group.bench_function("vectors", |bencher| bencher.iter(all));
    group.finish();
}

fn snapshots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core/snapshot");
    for flows in [1, 1000] {
        let storage = bytes_storage(flows);
        let bytes = snapshot::encode(&storage).unwrap();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("encode/{flows}"), |bencher| bencher.iter(|| snapshot::encode(&storage)));
        group.bench_function(format!("decode/{flows}"), |bencher| bencher.iter(|| snapshot::decode(&bytes)));
    }
    group.finish();
}

criterion_group!(core, plans, results, digests, slugs, snapshots);
criterion_main!(core);
