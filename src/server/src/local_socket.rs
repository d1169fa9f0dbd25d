//! The socket in the data directory, for commands on the machine.

use std::io;
use std::path::Path;

use rustix::fs::{FileType, Mode, chmod, fchmod};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use tokio::net::UnixListener;

use trailkeep_files::folder_of;

/// Connections that wait to be accepted.
const LOCAL_BACKLOG: i32 = 1_024;

/// The directory is locked by this process, so a socket that is there is left from a crash. What is there and is no
/// socket is refused. It is never open to others: where the system lets a socket have a mode before it has a name, it
/// has it then.
pub(super) fn listen_locally(path: &Path) -> io::Result<UnixListener> {
    remove_socket(path)?;
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let owner_alone = Mode::RUSR | Mode::WUSR;
    let _ = fchmod(&socket, owner_alone);
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // The umask may have taken more away, and other systems give a mode only now.
    chmod(path, owner_alone)?;
    listen(&socket, LOCAL_BACKLOG)?;
    let listener = std::os::unix::net::UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Takes a socket's name away; what is no socket is refused.
pub(super) fn remove_socket(path: &Path) -> io::Result<()> {
    let (folder, name) = folder_of(path)?;
    let Some(found) = folder.look(name)? else {
        return Ok(());
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        let what = "a file that is not a socket has this name; it was not changed: remove it";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    folder.remove(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn replaces_a_socket_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.sock");
        let (first, second) = (listen_locally(&path).unwrap(), listen_locally(&path));
        drop((first, second.unwrap()));
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        remove_socket(&path).unwrap();
        remove_socket(&path).unwrap();

        let victim = folder.path().join("victim");
        std::fs::write(&victim, b"precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(listen_locally(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
