//! The user that the servers run as. PostgreSQL refuses to run as root, so root hands its servers to a user who may do nothing else.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// In every system's list of users, which `initdb` insists on.
const UNPRIVILEGED: &str = "nobody";

/// Who owns the servers' files and processes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Account {
    /// Ourselves.
    Own,
    /// Another user, for we are root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    pub(crate) fn for_servers() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let users = fs::read_to_string("/etc/passwd").context("the list of users cannot be read")?;
        let (uid, gid) = entry(&users, UNPRIVILEGED).with_context(|| format!("there is no user `{UNPRIVILEGED}` to run the servers as"))?;
        Ok(Self::Other { uid, gid })
    }

    /// A program that runs as this user, in a folder that is its own.
    pub(crate) fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Hands a file or folder over.
    pub(crate) fn give(self, path: &Path) -> Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)).with_context(|| format!("{} cannot be handed over", path.display())),
        }
    }

    /// Whether the user can get at what is in this folder: every folder above lets others through.
    pub(crate) fn reaches(self, folder: &Path) -> bool {
        match self {
            Self::Own => true,
            Self::Other { .. } => folder.ancestors().filter_map(|folder| fs::metadata(folder).ok()).all(|metadata| metadata.mode() & 0o001 != 0),
        }
    }
}

fn entry(users: &str, name: &str) -> Option<(u32, u32)> {
    let user = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut fields = user.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users = "nobodyelse:x:7:7::/:/bin/sh\nnobody:x:65534:65533:nobody:/nonexistent:/sbin/nologin\n";
        assert_eq!(entry(users, "nobody"), Some((65534, 65533)));
        assert_eq!(entry(users, "postgres"), None);
    }
}
