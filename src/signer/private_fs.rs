//! Creates files and directories that only their owner can use.
//!
//! On a system without Unix permissions, the system's defaults for the user's folders apply.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// The mode of a file that only its owner may read and write.
pub(super) const OWNER_ONLY: u32 = 0o600;
/// The mode of a file that everybody may read.
pub(super) const READABLE: u32 = 0o644;

/// Returns the permission bits if they give anybody but the owner access. `None` otherwise.
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

/// Creates `dir` and its missing parents for the owner only.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Removes the permissions of other users on `dir`.
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

/// Sets the mode that a new file gets.
pub(super) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

/// Creates a temporary file in `dir` with the given mode. Dropping the value deletes the file.
pub(super) fn temporary(dir: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder.tempfile_in(dir)
}

/// Syncs the names in `dir` to disk, if the system can do that. A new file survives a crash only
/// after its directory is synced.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}
