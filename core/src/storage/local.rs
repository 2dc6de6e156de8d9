//! Local storage: flows as bytes in a directory, readable by the original.
//!
//! A flow is the file `<slug>.prefect`, which holds nothing but the flow's bytes. A note, `.flowhold/<slug>.json`,
//! holds what the file alone can't tell: a name that is not its own slug, or a format that the first byte doesn't show.
//! The note is written before the file, so that a reader who sees the flow sees its name. A writer that is killed in
//! between leaves a note without a flow, which nobody reads and the next writer replaces. The writer that creates the
//! flow's file owns the slug.

use super::{BuildReport, blob_of, check_expected};
use crate::{
    blob::{Content, in_memory, read_all},
    capability::{BuildStep, Files},
    diagnostic::Code,
    failure::Failure,
    flow::{Flow, FlowMap, FlowMapError, Format},
    flow_name::FlowName,
    json::{self, Json},
    name_map::NameMap,
    plan,
    serialized::Extra,
};

/// Flows in a directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalStorage {
    pub(crate) directory: String,
    pub(crate) map: FlowMap,
    pub(crate) formats: NameMap<Format>,
    pub(crate) extra: Extra,
    /// Flows that `build` will add.
    staged: Vec<Flow>,
}

/// What a flow's file alone does not tell.
struct Note {
    name: String,
    format: Format,
}

/// The names in a directory, which is listed once if many files are looked for; `None` if few are, and each is looked
/// up by itself.
struct Listed(Option<Vec<String>>);

impl Listed {
    const MANY: usize = 1024;

    fn for_so_many(wanted: usize, directory: &str, files: &dyn Files) -> Result<Self, Failure> {
        Ok(Self(if wanted < Self::MANY { None } else { Some(files.entries(directory)?) }))
    }

    /// Whether it is worthwhile to look up a file of the directory.
    fn may_have(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.0.as_ref().is_none_or(|names| names.binary_search_by(|one| one.as_str().cmp(name)).is_ok())
    }
}

impl Note {
    fn read(text: &str) -> Option<Self> {
        let note = json::parse(text).ok()?;
        let text = |key| note.get(key).and_then(Json::as_str);
        Some(Self { name: text("name")?.to_owned(), format: text("format")?.parse().ok()? })
    }
}

impl LocalStorage {
    /// A storage in this directory, which need not exist. It knows of no flows until they are added.
    pub fn new(directory: String) -> Self {
        Self { directory, ..Self::default() }
    }

    /// A storage with the flows that are in the directory.
    pub fn read(directory: String, files: &dyn Files) -> Result<Self, Failure> {
        let mut storage = Self::new(directory);
        // Flows are listed before notes, so that no listed flow lacks its note.
        let entries = files.entries(&storage.directory)?;
        let notes = files.entries(&storage.notes())?;
        // Files that neither Flowhold nor the original stored come last, so that they don't take a name from a stored
        // flow.
        let is_slug = |stem: &str| stem.parse::<FlowName>().is_ok_and(|name| name.slug() == stem);
        let is_stored = |entry: &String| entry.strip_suffix(".prefect").is_some_and(is_slug);
        let (stored, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_stored);
        for entry in stored.into_iter().chain(others) {
            let Some(slug) = entry.strip_suffix(".prefect") else { continue };
            let noted = notes.binary_search(&format!("{slug}.json")).is_ok();
            let note = if noted { storage.note(slug, files)? } else { None };
            // A file whose name can't be the name of a flow is somebody else's.
            let Ok(name) = note.as_ref().map_or(slug, |note| &note.name).parse::<FlowName>() else { continue };
            if storage.map.contains(name.as_str()) {
                continue;
            }
            if let Some(note) = note {
                storage.formats.insert(name.clone(), note.format);
            }
            let location = format!("{}/{entry}", storage.directory.trim_end_matches('/'));
            storage.map.insert(name, location)?;
        }
        Ok(storage)
    }

    /// The directory of the flows.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// Flow name -> location.
    pub const fn flows(&self) -> &FlowMap {
        &self.map
    }

    /// Name and location of every flow, including those that `build` will add.
    pub(crate) fn all(&self) -> FlowMap {
        let mut all = self.map.clone();
        for flow in &self.staged {
            // A resolved spec has each name once.
            drop(all.insert(flow.name.clone(), plan::location(&self.directory, &flow.name)));
        }
        all
    }

    /// The formats of all flows, as far as they are known.
    pub(crate) fn all_formats(&self) -> NameMap<Format> {
        let mut all = self.formats.clone();
        for flow in &self.staged {
            all.insert(flow.name.clone(), flow.format);
        }
        all
    }

    /// Remembers a flow for `build`.
    pub(crate) fn stage(&mut self, flow: Flow) {
        self.staged.push(flow);
    }

    /// Stores a flow at once, and returns its location. An error if the name, or its slug, is taken.
    pub fn add_flow(&mut self, flow: Flow, files: &dyn Files) -> Result<String, Failure> {
        self.refuse_known(&flow.name)?;
        let location = plan::location(&self.directory, &flow.name);
        blob_of(&flow)?;
        files.create_directory(&self.directory)?;
        if files.open(&location)?.is_some() {
            return Err(self.taken(&flow.name, &location, files)?);
        }
        self.store(vec![flow], files)?;
        Ok(location)
    }

    /// The check of `add_flow` that needs no files: an error if a known flow has the name.
    pub fn refuse_known(&self, name: &FlowName) -> Result<(), Failure> {
        if self.map.contains(name.as_str()) {
            return Err(FlowMapError::Duplicate { name: name.to_string() }.into());
        }
        Ok(())
    }

    /// Stores flows that are not there. The caller has checked that they are not, because the note of a stored flow
    /// must stay.
    fn store(&mut self, flows: Vec<Flow>, files: &dyn Files) -> Result<(), Failure> {
        self.write_notes(&flows, files)?;
        let place = |flow: &Flow| Ok((plan::location(&self.directory, &flow.name), blob_of(flow)?.clone()));
        let places = flows.iter().map(place).collect::<Result<Vec<_>, Failure>>()?;
        let created = files.create_all(&places)?;
        for ((flow, (location, _)), created) in flows.into_iter().zip(places).zip(created) {
            if !created {
                return Err(self.taken(&flow.name, &location, files)?);
            }
            self.remember(flow, location)?;
        }
        Ok(())
    }

    /// Remembers a flow that is stored, and that may be known already.
    fn remember(&mut self, flow: Flow, location: String) -> Result<(), Failure> {
        if !self.map.contains(flow.name.as_str()) {
            self.map.insert(flow.name.clone(), location)?;
        }
        self.formats.insert(flow.name, flow.format);
        Ok(())
    }

    /// The flow at a location. An error if there is none.
    pub fn get_flow(&self, location: &str, files: &dyn Files) -> Result<Flow, Failure> {
        let name = self.map.at(location)?.clone();
        let blob = files.open(location)?.ok_or_else(|| {
            Failure::input(Code::FlowNotFound, format!("the file of the flow {:?} is gone: {location}", name.as_str()))
        })?;
        let format = match self.formats.get(name.as_str()) {
            Some(format) => *format,
            None => Format::of(&blob.read(0, 1)?),
        };
        Ok(Flow { name, format, content: Content::of(blob)? })
    }

    /// Stores the flows of a spec. A flow that is stored already stays; if its name, format or bytes differ, that is an
    /// error, and nothing is stored. After a failure, the next build tries all flows again.
    pub fn build(&mut self, expect: Option<&str>, files: &dyn Files) -> Result<BuildReport, Failure> {
        let flows = self.staged.clone();
        let plan = plan::flows_digest(&flows);
        check_expected(plan, expect)?;
        let (mut missing, mut steps, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
        if !flows.is_empty() {
            // The directory comes first: a host that lets one writer at a time into a directory then makes two builds
            // of one spec take turns.
            files.create_directory(&self.directory)?;
        }
        let listed = Listed::for_so_many(flows.len(), &self.directory, files)?;
        for flow in flows {
            let location = plan::location(&self.directory, &flow.name);
            let stored = if listed.may_have(&location) { files.open(&location)? } else { None };
            let Some(stored) = stored else {
                missing.push(flow);
                continue;
            };
            let (name, format) = match self.note(flow.name.slug(), files)? {
                Some(note) => (note.name, note.format),
                None => (flow.name.slug().to_owned(), Format::of(&stored.read(0, 1)?)),
            };
            if (name.as_str(), format) != (flow.name.as_str(), flow.format) || Content::of(stored)? != flow.content {
                conflicts.push(self.taken(&flow.name, &location, files)?);
                continue;
            }
            steps.push(step(&location, true));
            self.remember(flow, location)?;
        }
        self.refuse(&conflicts)?;
        let locations = missing.iter().map(|flow| plan::location(&self.directory, &flow.name));
        steps.extend(locations.map(|location| step(&location, false)));
        self.store(missing, files)?;
        self.staged.clear();
        Ok(BuildReport { plan: plan.to_string(), image: None, digest: None, pushed: false, steps })
    }

    /// All conflicts of a build as one error.
    fn refuse(&self, conflicts: &[Failure]) -> Result<(), Failure> {
        const TOLD: usize = 21;
        let [first, others @ ..] = conflicts else { return Ok(()) };
        if others.is_empty() {
            return Err(first.clone());
        }
        let mut messages: Vec<_> = conflicts.iter().take(TOLD).map(|one| one.message.clone()).collect();
        if conflicts.len() > TOLD {
            messages.push(format!("and {} more", conflicts.len() - TOLD));
        }
        let help = format!("remove their files from {}, or give the flows other names", self.directory);
        Err(Failure { message: messages.join("; "), ..first.clone() }.with_help(help))
    }

    fn taken(&self, name: &FlowName, location: &str, files: &dyn Files) -> Result<Failure, Failure> {
        let other = self.name_at(name.slug(), files)?;
        if other == name.as_str() {
            let failure = Failure::from(FlowMapError::Duplicate { name: other });
            return Ok(failure.with_help(format!("remove {location}, or give the flow another name")));
        }
        let message = format!("the flows {other:?} and {:?} would be one file: {location}", name.as_str());
        Ok(Failure::input(Code::SlugClash, message).with_help("give one of them another name"))
    }

    fn name_at(&self, slug: &str, files: &dyn Files) -> Result<String, Failure> {
        Ok(self.note(slug, files)?.map_or_else(|| slug.to_owned(), |note| note.name))
    }

    /// The directory of the notes.
    fn notes(&self) -> String {
        format!("{}/.flowhold", self.directory.trim_end_matches('/'))
    }

    fn note_path(&self, slug: &str) -> String {
        format!("{}/{slug}.json", self.notes())
    }

    /// The note of a slug. A note that is damaged, or that belongs to another slug, counts as none.
    fn note(&self, slug: &str, files: &dyn Files) -> Result<Option<Note>, Failure> {
        const LARGEST: u64 = 64 << 10;
        let Some(blob) = files.open(&self.note_path(slug))?.filter(|blob| blob.length() <= LARGEST) else {
            return Ok(None);
        };
        let bytes = read_all(blob.as_ref())?;
        let note = std::str::from_utf8(&bytes).ok().and_then(Note::read);
        Ok(note.filter(|note| note.name.parse::<FlowName>().is_ok_and(|name| name.slug() == slug)))
    }

    fn write_notes(&self, flows: &[Flow], files: &dyn Files) -> Result<(), Failure> {
        let (mut noted, mut notes) = (Vec::new(), Vec::new());
        let listed = Listed::for_so_many(flows.len(), &self.notes(), files)?;
        for flow in flows {
            let slug = flow.name.slug();
            let plain = flow.name.as_str() == slug && shows_format(flow)?;
            if plain && (!listed.may_have(&self.note_path(slug)) || self.note(slug, files)?.is_none()) {
                continue;
            }
            let note = Json::object(vec![("name", flow.name.as_str().into()), ("format", flow.format.as_str().into())]);
            noted.push(flow);
            notes.push((self.note_path(slug), in_memory(format!("{note:#}"))));
        }
        if notes.is_empty() {
            return Ok(());
        }
        files.create_directory(&self.notes())?;
        let created = files.create_all(&notes)?;
        for ((flow, (path, note)), created) in noted.into_iter().zip(&notes).zip(created) {
            if created {
                continue;
            }
            // The note that is there has no flow, unless another process has stored one meanwhile.
            let location = plan::location(&self.directory, &flow.name);
            if files.open(&location)?.is_some() {
                return Err(self.taken(&flow.name, &location, files)?);
            }
            files.replace(path, note)?;
        }
        Ok(())
    }
}

/// Whether a flow's first byte shows its format.
fn shows_format(flow: &Flow) -> Result<bool, Failure> {
    Ok(Format::of(&blob_of(flow)?.read(0, 1)?) == flow.format)
}

fn step(location: &str, cached: bool) -> BuildStep {
    BuildStep { name: format!("store {location}"), cached, seconds: 0.0 }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use super::*;
    use crate::blob::SharedBlob;

    /// A disk with room for at most this many files.
    #[derive(Default)]
    struct Disk {
        files: RefCell<BTreeMap<String, SharedBlob>>,
        room: std::cell::Cell<usize>,
    }

    impl Files for Disk {
        fn open(&self, path: &str) -> Result<Option<SharedBlob>, Failure> {
            Ok(self.files.borrow().get(path).cloned())
        }

        fn create(&self, path: &str, content: &SharedBlob) -> Result<bool, Failure> {
            let mut files = self.files.borrow_mut();
            if files.len() == self.room.get() {
                return Err(Failure::input(Code::FileError, "no space left on device"));
            }
            Ok(files.insert(path.to_owned(), content.clone()).is_none())
        }

        fn replace(&self, path: &str, content: &SharedBlob) -> Result<(), Failure> {
            self.create(path, content).map(drop)
        }

        fn entries(&self, directory: &str) -> Result<Vec<String>, Failure> {
            let files = self.files.borrow();
            let inside = |path: &String| path.strip_prefix(directory)?.strip_prefix('/').map(str::to_owned);
            Ok(files.keys().filter_map(inside).filter(|name| !name.contains('/')).collect())
        }

        fn create_directory(&self, _: &str) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn staged(names: &[String]) -> Result<LocalStorage, Failure> {
        let mut storage = LocalStorage::new("/flows".to_owned());
        for name in names {
            let name = name.parse().map_err(Failure::explained)?;
            storage.stage(Flow { name, format: Format::Script, content: Content::of(in_memory("print()"))? });
        }
        Ok(storage)
    }

    #[test]
    fn many_are_found_where_they_are_as_few_are() -> Result<(), Failure> {
        for count in [Listed::MANY - 1, Listed::MANY] {
            let names: Vec<_> = (0..count).map(|number| format!("flow-{number}")).collect();
            let disk = Disk::default();
            disk.room.set(usize::MAX);
            // The note of a writer that was killed before it had stored a flow with the same slug.
            let note = in_memory(r#"{"name": "Flow 7", "format": "pickle"}"#);
            disk.create("/flows/.flowhold/flow-7.json", &note)?;
            staged(&names)?.build(None, &disk)?;
            assert_eq!(LocalStorage::read("/flows".to_owned(), &disk)?.flows().len(), count);
            assert!(LocalStorage::read("/flows".to_owned(), &disk)?.flows().contains("flow-7"));

            disk.files.borrow_mut().remove("/flows/flow-3.prefect");
            let cached = staged(&names)?.build(None, &disk)?.steps.into_iter().filter(|step| step.cached).count();
            assert_eq!(cached, count - 1);
            disk.create("/flows/flow-5.prefect", &in_memory("other"))?;
            let failure = staged(&names)?.build(None, &disk).err();
            assert!(failure.is_some_and(|failure| failure.message.contains("\"flow-5\"")));
        }
        Ok(())
    }

    #[test]
    fn the_same_bytes_in_another_format_are_another_flow() -> Result<(), Failure> {
        let disk = Disk::default();
        disk.room.set(8);
        let flow = |format| {
            let mut storage = staged(&["a".to_owned()])?;
            storage.staged.iter_mut().for_each(|flow| flow.format = format);
            storage.build(None, &disk)
        };
        flow(Format::Pickle)?;
        assert!(flow(Format::Pickle)?.steps.iter().all(|step| step.cached));
        assert!(flow(Format::Script).is_err());
        Ok(())
    }

    #[test]
    fn a_file_of_somebody_elses_takes_no_name() -> Result<(), Failure> {
        let disk = Disk::default();
        disk.room.set(8);
        staged(&["Etl".to_owned()])?.build(None, &disk)?;
        disk.create("/flows/Etl.prefect", &in_memory("other"))?;
        disk.create("/flows/Other one.prefect", &in_memory("other"))?;
        let storage = LocalStorage::read("/flows".to_owned(), &disk)?;
        let flows: Vec<_> =
            storage.flows().iter().map(|(name, location)| (name.to_string(), location.to_owned())).collect();
        let expected = [("Etl", "/flows/etl.prefect"), ("Other one", "/flows/Other one.prefect")];
        assert_eq!(flows, expected.map(|(name, location)| (name.to_owned(), location.to_owned())));
        Ok(())
    }

    #[test]
    fn a_build_that_failed_can_be_tried_again() -> Result<(), Failure> {
        let mut storage = staged(&["a", "b", "c"].map(str::to_owned))?;
        let disk = Disk::default();
        disk.room.set(2);
        assert!(storage.build(None, &disk).is_err());
        disk.room.set(8);
        let report = storage.build(None, &disk)?;
        assert_eq!(report.steps.iter().map(|step| step.cached).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!((storage.flows().len(), disk.files.borrow().len()), (3, 3));
        Ok(())
    }
}
