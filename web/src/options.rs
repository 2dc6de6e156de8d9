//! The TypeScript type of what a preview may know besides the spec. `input` reads it.

/// What a preview may know besides the spec.
#[derive(tsify::Tsify)]
pub struct Options {
    /// By path, as the spec names it: `flows/etl.py`, `/abs/model.bin`, and `/abs/dir/below.txt` for a directory
    /// `/abs/dir` in `files`. What is not given and not stated by the spec stays open.
    #[tsify(optional, type = "Record<string, FileInput>")]
    pub files: (),
    /// The home directory, for `~`.
    #[tsify(optional, type = "string")]
    pub home: (),
    /// The folder of the spec, for relative directories.
    #[tsify(optional, type = "string")]
    pub folder: (),
    /// The Python that pickles the flows.
    #[tsify(optional, type = "{ version: string; prefect?: string; cloudpickle?: string }")]
    pub python: (),
    /// Fills in names that only a build chooses; asked once for each if it is a function.
    #[tsify(optional, type = "string | (() => string)")]
    pub uuid: (),
    /// The time for names that have it, in milliseconds since 1970; now by default.
    #[tsify(optional, type = "number")]
    pub now: (),
    /// Policies that judge the plan, by the names that the spec has for them or by any other.
    #[tsify(optional, type = "Record<string, Policy>")]
    pub policies: (),
    /// An earlier preview, or its JSON as `flowhold preview --format json` prints it: adds `forecast`.
    #[tsify(optional, type = "string | Preview")]
    pub since: (),
}
