//! The options of previews: their TypeScript type, and their names. `input` reads them.

/// Declares the type and the names at once. Documentation is given as attributes, as in `storages`.
macro_rules! options {
    ($($(#[doc = $doc:tt])+ $name:ident: $type:tt,)+) => {
        /// What a preview may be told besides the spec.
        #[derive(tsify::Tsify)]
        pub struct Options {
            $(
                $(#[doc = $doc])+
                #[tsify(optional, type = $type)]
                pub $name: (),
            )+
        }

        /// The names of all options. A misspelt one, such as `policy`, must not be taken for one that is left out.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

options! {
    #[doc = " By path, as the spec names it: `flows/etl.py`, `/abs/model.bin`, and `/abs/dir/below.txt` for a directory"]
    #[doc = " `/abs/dir` in `files`. What is not given and not stated by the spec stays open."]
    files: "Record<string, FileInput>",
    #[doc = " The home directory, for `~`."]
    home: "string",
    #[doc = " The folder of the spec, for relative directories."]
    folder: "string",
    #[doc = " The Python that pickles the flows."]
    python: "{ version: string; prefect?: string; cloudpickle?: string }",
    #[doc = " Fills in names that only a build chooses; asked once for each if it is a function."]
    uuid: "string | (() => string)",
    #[doc = " The time for names that have it, in milliseconds since 1970; the clock's if only `uuid` is given."]
    now: "number",
    #[doc = " Policies that judge the plan, by the names that the spec has for them or by any other."]
    policies: "Record<string, Policy>",
    #[doc = " An earlier preview, or its JSON as `flowhold preview --format json` prints it: adds `forecast`."]
    since: "string | Preview",
}
