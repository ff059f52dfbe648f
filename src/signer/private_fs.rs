//! Files and directories for their owner's eyes only. Where there are no Unix permissions, the
//! system's own defaults for the user's folders hold.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// Mode of what only the owner may read and write.
pub(super) const OWNER_ONLY: u32 = 0o600;
/// Mode of what everybody may read.
pub(super) const READABLE: u32 = 0o644;

/// The permission bits, if they let anybody but the owner in.
pub(super) fn exposed(metadata: &Metadata) -> Option<u32> {
    mode_of(metadata).filter(|mode| mode & 0o077 != 0)
}

#[cfg(unix)]
fn mode_of(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode_of(_: &Metadata) -> Option<u32> {
    None
}

/// Makes `dir` and what is missing above it, for the owner only.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Takes away from `dir` what others may do with it.
pub(super) fn close_dir(dir: &Path) -> io::Result<()> {
    if exposed(&dir.metadata()?).is_none() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// `options`, with the mode that a new file gets.
pub(super) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// A file in `dir` that goes with its value, with the mode that it gets.
pub(super) fn temporary(dir: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder.tempfile_in(dir)
}

/// Makes the names in `dir` durable, as far as the system can: a new file is safe only once its
/// directory is.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
