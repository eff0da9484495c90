//! The embedded DynamoDB and where it keeps its data.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use faregate_testing::dynamodb::{EmbeddedDynamoDb, TableNames};

use crate::failure::Failure;

/// The database in the data folder.
const FILE: &str = "dynamodb.sqlite";

/// Only the user's own.
const MODE: u32 = 0o700;

/// Makes the data folder, or takes one that was made earlier, and gives the database's place in it.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf, Failure> {
    let shown = folder.display().to_string();
    let file = folder.join(FILE);
    if !folder.exists() {
        let made = fs::DirBuilder::new().recursive(true).mode(MODE).create(folder);
        made.map_err(Failure::because(&shown))?;
    } else if !file.exists() && fs::read_dir(folder).map_err(Failure::because(&shown))?.next().is_some() {
        let message = format!("--data {shown}: neither empty nor a folder that this command has made; choose another");
        return Err(Failure::new(message));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(MODE)).map_err(Failure::because(&shown))?;
    Ok(file)
}

/// Starts the database with the template's tables.
pub(super) async fn open(
    held: &mut Option<TcpListener>,
    port: u16,
    file: Option<&Path>,
) -> Result<EmbeddedDynamoDb, Failure> {
    drop(held.take());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let database = EmbeddedDynamoDb::start_at(address, file).await;
    let database = database.map_err(Failure::because("the embedded DynamoDB does not start"))?;
    let made = database.create_tables(&TableNames::default()).await;
    made.map_err(Failure::because("the tables cannot be made"))?;
    Ok(database)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{FILE, prepare};

    #[test]
    fn the_data_is_the_users_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        assert_eq!(prepare(&data).expect("a new folder"), data.join(FILE));
        assert_eq!(fs::metadata(&data).expect("made").permissions().mode() & 0o777, 0o700);
        fs::write(data.join(FILE), "").expect("write");
        prepare(&data).expect("the folder of an earlier start");
    }

    #[test]
    fn a_folder_of_somebody_elses_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("letter.txt"), "").expect("write");
        assert!(prepare(folder.path()).is_err());
    }
}
