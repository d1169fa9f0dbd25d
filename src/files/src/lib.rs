//! Files and directories as the system has them: opened by descriptor, and looked at before they are used.
//!
//! A path is followed where an operator names it to be read ([`named`]). A file that the program makes or replaces is
//! reached through its directory's descriptor, and never through a link ([`Folder`]).
#![forbid(unsafe_code)]

pub mod directory;
mod error;
mod folder;
mod kind;
pub mod named;
mod new_file;
pub mod private;
mod volume;

pub use error::{FileError, io_error};
pub use folder::{Folder, folder_of};
pub use kind::NotOurs;
pub use new_file::NewFile;
pub use volume::is_of_the_volume;
