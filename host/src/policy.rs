//! Policies: components that an organisation writes and that judge plans. They have no imports, and so no power at all.
//!
//! Plans and verdicts pass from one component to the other as they are: this file doesn't know their fields.

use std::{io, path::Path, time::Duration};

use wasmtime::{
    Config, Engine, Module, OptLevel, RegallocAlgorithm, Store, StoreLimits, StoreLimitsBuilder, Trap, UpdateDeadline,
    component::{
        Component, Func, Linker, Val,
        types::{ComponentFunc, ComponentItem, Type},
    },
};

use crate::{
    Session,
    blob::read_at_most,
    deadline::Ticker,
    engine_config,
    failure::{Failure, FailureKind},
    limits::TABLE_ELEMENTS,
    parallel::aside,
    planning::{Plan, call},
};

/// The largest policy, in bytes.
const LARGEST: usize = 16 << 20;

/// How large each memory of a policy may grow, in bytes.
const MEMORY: usize = 64 << 20;

/// The time that one judgement may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The interface and function of the world `policy`.
const JUDGING: [&str; 2] = ["flowhold:storage/judging@0.1.0", "judge"];

/// The core's interface and functions for policies.
const PLANNING: &str = "flowhold:storage/planning@0.1.0";
const BUILD_PLAN: &str = "[method]plan.build-plan";
const JUDGE: &str = "[method]plan.judge";

/// Makes an engine for policies. They are strangers: their time is limited, whatever is granted to the core.
fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    engine_config::configure(&mut config, true);
    // With these settings, a policy compiles in a time that is about proportional to its size, whatever is in it.
    config.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    Engine::new(&config)
}

/// A policy, compiled. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Policy {
    /// The policy as the user or the spec names it.
    pub(crate) name: String,
    component: Component,
}

impl Policy {
    /// Compiles a policy.
    pub(crate) fn compile(core: &Component, name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let invalid = |what: String| {
            Failure::input("invalid-policy", format!("{name} is no policy: {what}"))
                .with_help("build it for the WIT world `policy`: flowhold component --wit prints it")
        };
        if bytes.len() > LARGEST {
            return Err(invalid(format!("it is larger than {} MiB", LARGEST >> 20)));
        }
        if !bytes.starts_with(b"\0asm") {
            return Err(invalid("it is not WebAssembly".to_owned()));
        }
        if is_module(bytes) {
            let failure = invalid("it is a module, and no component yet".to_owned());
            return Err(failure.with_help(format!("make one of it: flowhold component --of {name} -o policy.wasm")));
        }
        let engine = engine().map_err(|error| Failure::of_guest(&error))?;
        let component =
            Component::from_binary(&engine, bytes).map_err(|error| invalid(format!("{:#}", error.root_cause())))?;
        if let Some((import, _)) = component.component_type().imports(&engine).next() {
            return Err(invalid(format!("it imports {import}, and a policy imports nothing")));
        }
        let judge = function(&component, JUDGING).ok_or_else(|| invalid(format!("it has no {}", JUDGING.join("#"))))?;
        if !fits(core, &judge) {
            return Err(invalid("it is made for another version of this interface".to_owned()));
        }
        Ok(Self { name: name.to_owned(), component })
    }

    /// Judges a plan, in an instance of its own.
    async fn judge(&self, plan: Val) -> wasmtime::Result<Val> {
        let engine = self.component.engine();
        // Several modules may be linked into one component.
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY).memories(4).tables(100).instances(100);
        let limits = limits.table_elements(TABLE_ELEMENTS).trap_on_grow_failure(true).build();
        let ticker = Ticker::start(engine)?;
        let mut store = Store::new(engine, (limits, ticker.ticks(DEADLINE)));
        store.limiter(|(limits, _): &mut (StoreLimits, u32)| limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            let (_, left) = store.data_mut();
            *left = left.saturating_sub(1);
            Ok(if *left == 0 { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        let instance = Linker::new(engine).instantiate_async(&mut store, &self.component).await?;
        let [interface, name] = JUDGING;
        let interface = self.component.get_export_index(None, interface);
        let index = self.component.get_export_index(interface.as_ref(), name);
        let judge = index.and_then(|index| instance.get_func(&mut store, index));
        called(&mut store, judge, &[plan]).await
    }
}

impl Session {
    /// Has the policies that the spec names, and those of the host, judge a plan. Their verdicts, or why there are
    /// none, are then among the plan's diagnostics.
    pub(crate) async fn judge(&mut self, plan: Plan, named: Vec<String>, folder: &Path) -> Result<(), Failure> {
        if named.is_empty() && self.policies.is_empty() {
            return Ok(());
        }
        // All policies get the same plan: none hears of another's verdicts.
        let told = self.call_plan(BUILD_PLAN, &[Val::Resource(plan.resource)]).await?;
        let Val::Option(Some(told)) = told else { return Ok(()) };
        // One after the other, because a compiled policy may need much memory.
        for name in named {
            let policy = self.compiled(&name, folder).await;
            self.judge_by(plan, name, policy, (*told).clone()).await?;
        }
        for policy in self.policies.clone() {
            self.judge_by(plan, policy.name.clone(), Ok(policy), (*told).clone()).await?;
        }
        Ok(())
    }

    /// Reads and compiles a policy that the spec names.
    fn compiled(&self, name: &str, folder: &Path) -> impl Future<Output = Result<Policy, Failure>> + use<> {
        let (core, path, name) = (self.component.clone(), folder.join(name), name.to_owned());
        let granted = self.sources.clone();
        // Compiling takes a while, and other tasks may be waiting on this thread.
        aside(move || {
            let place = granted.file(&path)?;
            let failure = |error: io::Error| Failure::of_path(path.display(), &error);
            let bytes = place.file().and_then(|file| read_at_most(file, LARGEST as u64)).map_err(failure)?;
            Policy::compile(&core, &name, &bytes)
        })
    }

    async fn judge_by(
        &mut self,
        plan: Plan,
        name: String,
        policy: Result<Policy, Failure>,
        told: Val,
    ) -> Result<(), Failure> {
        let verdicts = match policy {
            Ok(policy) => policy.judge(told).await.map_err(|error| stopped(&error)),
            Err(failure) => Err(failure),
        };
        match verdicts {
            Ok(verdicts) => {
                let verdicts = Val::Result(Ok(Some(Box::new(verdicts))));
                self.call_plan(JUDGE, &[Val::Resource(plan.resource), Val::String(name), verdicts]).await?;
                Ok(())
            }
            Err(failure) => call!(self.flowhold_storage_planning.plan.call_judge(plan.resource, &name, Err(&failure))),
        }
    }

    /// Calls a function of the core with values whose types are not known here.
    async fn call_plan(&mut self, name: &str, arguments: &[Val]) -> Result<Val, Failure> {
        let _guard = self.begin();
        let interface = self.instance.get_export_index(&mut self.store, None, PLANNING);
        let index = self.instance.get_export_index(&mut self.store, interface.as_ref(), name);
        let function = index.and_then(|index| self.instance.get_func(&mut self.store, index));
        called(&mut self.store, function, arguments).await.map_err(|error| Failure::of_guest(&error))
    }
}

async fn called<T: Send>(store: &mut Store<T>, function: Option<Func>, arguments: &[Val]) -> wasmtime::Result<Val> {
    let function = function.ok_or_else(|| wasmtime::format_err!("it lacks a function"))?;
    let mut results = vec![Val::Bool(false); function.ty(&mut *store).results().len()];
    function.call_async(store, arguments, &mut results).await?;
    Ok(results.pop().unwrap_or(Val::Bool(false)))
}

/// Makes a component of a module that carries its interface, as wit-bindgen leaves it. This is for modules that the
/// user has built: anything but a module is refused, but the interface is not expected to be hostile.
///
/// # Errors
/// If the bytes are not a module, or the module has no interface.
pub fn component_of(module: &[u8]) -> Result<Vec<u8>, Failure> {
    let refuse = |error| Failure::input("invalid-module", format!("no component can be made of it: {error:#}"));
    if !is_module(module) {
        return Err(refuse(wasmtime::format_err!("it is no WebAssembly module")));
    }
    Module::validate(&Engine::default(), module).map_err(refuse)?;
    let encoded = wit_component::ComponentEncoder::default().module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| refuse(wasmtime::format_err!("{error:#}")))
}

fn is_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x01\0\0\0")
}

fn function(component: &Component, [interface, name]: [&str; 2]) -> Option<ComponentFunc> {
    let (_, interface) = component.get_export(None, interface)?;
    match component.get_export(Some(&interface), name)? {
        (ComponentItem::ComponentFunc(function), _) => Some(function),
        _ => None,
    }
}

/// Whether a policy takes the core's plans, and the core takes the policy's verdicts.
fn fits(core: &Component, judge: &ComponentFunc) -> bool {
    let told = function(core, [PLANNING, BUILD_PLAN]).and_then(|build_plan| match build_plan.results().next() {
        Some(Type::Option(plan)) => Some(plan.ty()),
        _ => None,
    });
    let taken = function(core, [PLANNING, JUDGE]).and_then(|judge| match judge.params().nth(2) {
        Some((_, Type::Result(verdicts))) => verdicts.ok(),
        _ => None,
    });
    let takes: Vec<_> = judge.params().map(|(_, plan)| plan).collect();
    let gives: Vec<_> = judge.results().collect();
    told.is_some_and(|told| takes == [told]) && taken.is_some_and(|taken| gives == [taken])
}

fn stopped(error: &wasmtime::Error) -> Failure {
    let message = match error.downcast_ref() {
        Some(Trap::Interrupt) => format!("it took longer than {} s", DEADLINE.as_secs()),
        _ => format!("it stopped: {:#}", error.root_cause()),
    };
    Failure::new(FailureKind::Input, "policy-stopped", message)
        .with_help("ask whoever wrote the policy; a plan that it can't judge is not built")
}
