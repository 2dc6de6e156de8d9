//! Instances of the core allocated on demand, as the host does it, or out of a pool.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at what they don't expect")]
#![forbid(unsafe_code)]

use criterion::Criterion;
use flowhold_bench::runtime;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker},
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let pool = |warm: usize| {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_memories(100).total_component_instances(100).total_core_instances(200).total_tables(200);
        pool.total_stacks(100).max_memory_size(1 << 30).max_unused_warm_slots(100);
        pool.linear_memory_keep_resident(warm).table_keep_resident(warm).async_stack_keep_resident(warm);
        InstanceAllocationStrategy::Pooling(pool)
    };
    for (name, allocation, copy_on_write) in [
        ("on demand", InstanceAllocationStrategy::OnDemand, true),
        ("on demand, memory copied", InstanceAllocationStrategy::OnDemand, false),
        ("pool", pool(0), true),
        ("pool, 256 KiB kept resident", pool(256 << 10), true),
        ("pool, 2 MiB kept resident", pool(2 << 20), true),
    ] {
        let mut config = Config::new();
        config.epoch_interruption(true).allocation_strategy(allocation).memory_init_cow(copy_on_write);
        instantiate(&mut criterion, name, &config);
    }
}

fn instantiate(criterion: &mut Criterion, name: &str, config: &Config) {
    let engine = Engine::new(config).unwrap();
    let component = Component::from_binary(&engine, flowhold::host::COMPONENT).unwrap();
    let mut linker = Linker::<StoreLimits>::new(&engine);
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let pre = linker.instantiate_pre(&component).unwrap();
    let runtime = runtime();
    criterion.bench_function(&format!("allocators/{name}"), |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, StoreLimitsBuilder::new().memory_size(1 << 30).build());
            store.limiter(|limits| limits);
            store.set_epoch_deadline(u64::MAX / 2);
            runtime.block_on(pre.instantiate_async(&mut store)).unwrap();
            store
        });
    });
}
