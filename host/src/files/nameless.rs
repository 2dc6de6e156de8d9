//! Files that have no name until they are whole, and so vanish with a killed process.
//!
//! Only Linux has them, and not on every file system: callers must be ready to do without.

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::OsStr,
        fs::{self, File},
        io,
        os::fd::AsRawFd as _,
    };

    use cap_std::fs::Dir;
    use rustix::{
        fs::{AtFlags, CWD, Mode, OFlags},
        io::Errno,
        process::{Resource, getrlimit},
    };

    /// A file that has no name in its directory yet.
    pub(crate) struct Nameless(File);

    impl Nameless {
        /// How many may exist at once: each is open until it has its name, and other code opens files too.
        pub(crate) fn most_at_once() -> usize {
            let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            usize::try_from(open / 4).unwrap_or(usize::MAX).max(1)
        }

        /// Makes such a file; none if that fails.
        pub(crate) fn new(parent: &Dir) -> Option<Self> {
            let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(parent, ".", flags, Mode::from_raw_mode(0o666)).ok().map(|file| Self(File::from(file)))
        }

        pub(crate) const fn file(&self) -> &File {
            &self.0
        }

        /// Gives the file its name: false if that is taken. None if it can't be named so (without /proc, say).
        pub(crate) fn name(&self, parent: &Dir, name: &OsStr) -> Option<bool> {
            let open = format!("/proc/self/fd/{}", self.0.as_raw_fd());
            match rustix::fs::linkat(CWD, open, parent, name, AtFlags::SYMLINK_FOLLOW) {
                Ok(()) => Some(true),
                Err(Errno::EXIST) => Some(false),
                // Any other error occurs without such files, too.
                Err(_) => None,
            }
        }
    }

    /// Whether syncing the file system of this file is reliable: Linux before 5.8 does not report what could not be
    /// written, overlayfs does not report what the file system below could not write, and FUSE leaves it to its server.
    pub(crate) fn syncs_whole_file_systems(file: &File) -> bool {
        const TELL_TOO_LITTLE: [u64; 2] = [0x6573_5546, 0x794c_7630];
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut numbers = kernel.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let tells = |kind| u64::try_from(kind).is_ok_and(|kind| !TELL_TOO_LITTLE.contains(&kind));
        version >= (5, 8) && rustix::fs::fstatfs(file).is_ok_and(|about| tells(about.f_type))
    }

    /// Syncs everything that was written to the file system of this file.
    pub(crate) fn sync_file_system(file: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(file)?)
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{Nameless, sync_file_system, syncs_whole_file_systems};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::{convert::Infallible, ffi::OsStr, fs::File, io};

    use cap_std::fs::Dir;

    pub(crate) struct Nameless(Infallible);

    impl Nameless {
        pub(crate) const fn most_at_once() -> usize {
            1
        }

        pub(crate) const fn new(_: &Dir) -> Option<Self> {
            None
        }

        pub(crate) const fn file(&self) -> &File {
            match self.0 {}
        }

        pub(crate) const fn name(&self, _: &Dir, _: &OsStr) -> Option<bool> {
            match self.0 {}
        }
    }

    pub(crate) const fn syncs_whole_file_systems(_: &File) -> bool {
        false
    }

    pub(crate) fn sync_file_system(_: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{Nameless, sync_file_system, syncs_whole_file_systems};
