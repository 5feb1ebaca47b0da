//! The calls of the writer that a disk can make fail, in one place so that tests can make them fail too.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;

/// The disk below the writer.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub faults: std::sync::Arc<faults::Faults>,
}

impl Disk {
    /// Writes every slice, in order, from an offset on.
    pub fn write(&self, file: &File, offset: u64, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        #[cfg(test)]
        self.faults.write(file, offset, slices)?;
        let mut offset = offset;
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match rustix::io::pwritev(file, slices, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes what was written durable, the file's length included.
    pub fn sync(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        self.faults.sync()?;
        file.sync_data()
    }

    /// Takes back what lies beyond a length.
    pub fn cut(&self, file: &File, len: u64) -> io::Result<()> {
        #[cfg(test)]
        self.faults.cut()?;
        file.set_len(len)
    }

    /// Bytes that an unprivileged process may still write to the filesystem of a directory.
    pub fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        #[cfg(test)]
        if let Some(free) = self.faults.free() {
            return Ok(free);
        }
        let free = rustix::fs::statvfs(dir)?;
        Ok(free.f_bavail.saturating_mul(free.f_frsize))
    }
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(read) => filled += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod faults {
    use std::os::unix::fs::FileExt;
    use std::sync::Mutex;

    use super::*;

    /// A disk that fails when told to.
    #[derive(Debug, Default)]
    pub struct Faults(Mutex<Planned>);

    /// What fails from now on.
    #[derive(Debug, Default, Clone, Copy)]
    pub struct Planned {
        /// The disk is full after so many bytes more.
        pub room: Option<u64>,
        /// What the filesystem says is free.
        pub free: Option<u64>,
        /// A write fails for another reason, having written nothing.
        pub write: bool,
        /// A sync fails.
        pub sync: bool,
        /// A cut fails.
        pub cut: bool,
    }

    impl Faults {
        pub fn plan(&self, planned: Planned) {
            *self.0.lock().unwrap() = planned;
        }

        fn planned(&self) -> Planned {
            *self.0.lock().unwrap()
        }

        pub fn free(&self) -> Option<u64> {
            self.planned().free
        }

        pub fn sync(&self) -> io::Result<()> {
            fail_if(self.planned().sync)
        }

        pub fn cut(&self) -> io::Result<()> {
            fail_if(self.planned().cut)
        }

        /// Writes what there is room for and then fails, as a disk does.
        pub fn write(&self, file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
            fail_if(self.planned().write)?;
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let Some(room) = self.planned().room else {
                return Ok(());
            };
            if bytes.len() as u64 <= room {
                self.0.lock().unwrap().room = Some(room - bytes.len() as u64);
                return Ok(());
            }
            file.write_all_at(&bytes[..room as usize], offset)?;
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    fn fail_if(planned: bool) -> io::Result<()> {
        if planned { Err(io::Error::other("planned failure")) } else { Ok(()) }
    }
}
