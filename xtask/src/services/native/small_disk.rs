//! A folder with little room, so that a test can run a server out of disk: a file system in memory, mounted for the server.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Site;
use super::account::Account;
use crate::process;
use crate::services::description::SmallDisk;
use crate::services::instance::SMALL_DISK_MIB;

const NAME: &str = "small";

/// Mounts it as root; an ordinary user's server gets it when it starts. Nothing where the system allows neither.
pub(super) fn create(site: &Site<'_>) -> Result<Option<SmallDisk>> {
    let path = site.folder.join(NAME);
    fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    site.account.give(&path)?;
    let mounted = match site.account {
        Account::Other { uid, gid } => {
            let options = format!("size={SMALL_DISK_MIB}m,mode=700,uid={uid},gid={gid}");
            process::stdout(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path))
        }
        Account::Own => process::stdout(&mut with(site, &SmallDisk::at(path.clone()), Command::new("true"))),
    };
    match mounted {
        Ok(_) => Ok(Some(SmallDisk::at(path))),
        Err(error) => {
            println!("services: {}: no small disk, so nothing can be tested on a full one: {error:#}", site.instance.name);
            Ok(None)
        }
    }
}

/// The command in a world where the folder is mounted. Root has mounted it for all; an ordinary user's server gets a mount
/// namespace of its own, in which it is root only as long as mounting takes. A restart begins with an empty disk then.
pub(super) fn with(site: &Site<'_>, disk: &SmallDisk, command: Command) -> Command {
    if matches!(site.account, Account::Other { .. }) {
        return command;
    }
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let script =
        format!("mount -t tmpfs -o size={SMALL_DISK_MIB}m,mode=700 tmpfs \"$0\" && exec unshare --user --map-user={uid} --map-group={gid} \"$@\"");
    let mut inside = Command::new("unshare");
    inside.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(&disk.path);
    inside.arg(command.get_program()).args(command.get_args()).current_dir(&site.folder);
    inside
}

/// Takes the mount away, where there is one.
pub(super) fn remove(folder: &Path) -> Result<()> {
    let path = folder.join(NAME);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str()) {
        process::stdout(Command::new("umount").arg(&path))?;
    }
    Ok(())
}
