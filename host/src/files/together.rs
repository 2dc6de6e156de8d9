//! Many new files at once: syncing, which takes longest, is done once for all of them.

use std::{io, iter, path::Path};

use super::{
    Access, Grants, Nameless,
    nameless::{sync_file_system, syncs_whole_file_systems},
    of_new, parent_of,
};
use crate::{blob::Blob, capability::Files as _, failure::Failure, parallel::on_all_processors};

/// How many files are stored together, at most, and how many bytes.
const TOGETHER: usize = 512;
const LARGEST: u64 = 64 << 20;

/// For fewer files than this, syncing everything else on their file system as well is not worth it.
const FEW: usize = 32;

/// Splits files into batches that can be stored together: of one directory, not too many, not too large.
pub(crate) fn batches(mut files: &[(String, Blob)]) -> impl Iterator<Item = &[(String, Blob)]> {
    let most = Nameless::most_at_once().min(TOGETHER);
    iter::from_fn(move || {
        let (first, _) = files.first()?;
        let directory = Path::new(first).parent();
        let mut bytes: u64 = 0;
        let fits = |(path, content): &&(String, Blob)| {
            bytes = bytes.saturating_add(content.length());
            bytes <= LARGEST && Path::new(path).parent() == directory
        };
        let count = files.iter().take(most).take_while(fits).count().max(1);
        let (batch, rest) = files.split_at(count);
        files = rest;
        Some(batch)
    })
}

impl Grants {
    /// Creates files of one directory: writes all bytes, syncs them together, and then gives all names. None if that
    /// can't be had or isn't worth it, or if syncing failed, for which one of the files may be at fault.
    pub(super) fn create_together(&self, files: &[(String, Blob)]) -> Result<Option<Vec<bool>>, Failure> {
        let Some((first, _)) = files.first().filter(|_| files.len() >= FEW) else { return Ok(None) };
        let (dir, within) = self.find(first, Access::Write)?;
        let of_first = |error: io::Error| of_new(first, &error);
        let parent = dir.open_dir(parent_of(&within)).map_err(of_first)?;
        // Opened before anything is written, so that syncing reports whatever could not be written.
        let directory = dir.open(parent_of(&within)).map_err(of_first)?.into_std();
        if !syncs_whole_file_systems(&directory) {
            return Ok(None);
        }
        let written = |(path, content): &(String, Blob)| {
            let (_, within) = self.find(path, Access::Write)?;
            let (Some(file), Some(name)) = (Nameless::new(&parent), within.file_name()) else { return Ok(None) };
            content.copy_to(file.file()).map_err(|error| of_new(path, &error))?;
            Ok(Some((file, name.to_owned())))
        };
        let unnamed: Result<Option<Vec<_>>, Failure> = on_all_processors(files, written).into_iter().collect();
        let Some(unnamed) = unnamed? else { return Ok(None) };
        if sync_file_system(&directory).is_err() {
            return Ok(None);
        }
        let named = unnamed.iter().zip(files).map(|((file, name), (path, content))| match file.name(&parent, name) {
            Some(named) => Ok(named),
            None => self.create(path, content),
        });
        let created = named.collect::<Result<_, _>>();
        directory.sync_all().map_err(of_first)?;
        created.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use cap_std::{ambient_authority, fs::Dir};

    use super::*;

    #[test]
    fn many_files_are_made_as_one_is() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let say = |failure: Failure| failure.message;
        let mut grants = Grants::default();
        grants.grant(folder.path(), Access::Write).map_err(say)?;
        std::fs::create_dir(folder.path().join("other"))?;
        std::fs::write(folder.path().join("7"), "first")?;
        // More files than are synced together, and then some in another directory.
        let names = (0..TOGETHER + FEW).map(|number| number.to_string());
        let names: Vec<_> = names.chain((0..FEW).map(|number| format!("other/{number}"))).collect();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let files: Vec<_> = names.iter().map(|name| (at(name), Blob::in_memory(name.clone()))).collect();
        let created = grants.create_all(&files).map_err(say)?;
        let expected: Vec<_> = names.iter().map(|name| name != "7").collect();
        assert_eq!(created, expected);
        for name in &names {
            let expected = if name == "7" { "first" } else { name };
            assert_eq!(std::fs::read_to_string(at(name))?, expected);
        }
        let listed = grants.entries(&at("")).map_err(say)?.len() + grants.entries(&at("other")).map_err(say)?.len();
        assert_eq!(listed, names.len() + 1, "nothing unfinished is left");

        // If files can't all be written, none of those that are synced together is there.
        let mut files: Vec<_> = (0..FEW).map(|number| (at(&format!("new-{number}")), Blob::in_memory("x"))).collect();
        let changing = folder.path().join("changing");
        // Larger than files that are read when they are opened.
        std::fs::write(&changing, [0; 1 << 20])?;
        files.push((at("new"), Blob::open(&changing)?));
        std::fs::write(&changing, "after, and longer")?;
        let failure = grants.create_all(&files).err().ok_or("a file that changed was stored")?;
        assert!(failure.message.contains("changed while it was read"), "{}", failure.message);
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority())?;
        let together = Nameless::new(&dir).is_some() && syncs_whole_file_systems(&dir.open(".")?.into_std());
        assert_eq!(std::fs::exists(at("new-0"))?, !together);
        Ok(())
    }

    #[test]
    fn a_batch_is_of_one_directory_and_not_too_large() {
        let file = |path: &str, bytes: usize| (path.to_owned(), Blob::in_memory(vec![0; bytes]));
        let half = usize::try_from(LARGEST / 2).unwrap_or_default();
        let files = [file("/a/1", 1), file("/a/2", half), file("/a/3", half), file("/b/1", 3 * half), file("/b/2", 1)];
        let sizes: Vec<_> = batches(&files).map(<[_]>::len).collect();
        let expected = if Nameless::most_at_once() == 1 { vec![1; 5] } else { vec![2, 1, 1, 1] };
        assert_eq!(sizes, expected);
        let many: Vec<_> = (0..TOGETHER * 2 + 1).map(|number| file(&format!("/a/{number}"), 0)).collect();
        let sizes: Vec<_> = batches(&many).map(<[_]>::len).collect();
        assert!(sizes.len() >= 3 && sizes.iter().all(|size| *size <= TOGETHER), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), many.len());
        assert_eq!(batches(&[]).count(), 0);
    }
}
