//! The rooms of `src/`: none imports from one above it.

use std::fs;
use std::path::Path;

/// From the top down.
const ROOMS: [&str; 27] = [
    "lib",
    "env",
    "login",
    "query",
    "requests",
    "session",
    "renewal",
    "exchange",
    "diagnosis",
    "hints",
    "hints::case",
    "login_history",
    "settings",
    "token",
    "refusal",
    "jwt",
    "key",
    "redact",
    "address",
    "wire::send",
    "wire::client",
    "variable",
    "wire::reply",
    "wire::no_reply",
    "wire",
    "wire::url",
    "error",
];

#[test]
fn no_room_imports_from_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (floor, room) in ROOMS.iter().enumerate() {
        let path = src.join(room.replace("::", "/")).with_extension("rs");
        let code = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is a room", path.display()));
        let parent = room.rsplit_once("::").map_or("", |(parent, _)| parent);
        // Comments reach nothing, and what stands below `cfg(doc)` is for links in them.
        let code = code.split("#[cfg(test)]").next().unwrap_or_default().replace("#[cfg(doc)]\nuse", "//");
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let import = line.strip_prefix("use ").unwrap_or_default();
            let import = match import.split_once("::") {
                Some(("crate", below)) => below.to_owned(),
                Some(("self", below)) => format!("{room}::{below}"),
                Some(("super", below)) => format!("{parent}::{below}"),
                _ => {
                    let reaches = ["crate::", "super::"].into_iter().find(|path| line.contains(path));
                    assert_eq!(reaches, None, "{room} reaches by another way than an import: {line}");
                    continue;
                }
            };
            let is_in = |room: &&&str| import.strip_prefix(**room).is_some_and(|rest| rest.starts_with("::"));
            let from = ROOMS.iter().filter(is_in).max_by_key(|room| room.len());
            let below = from.and_then(|from| ROOMS[floor + 1..].iter().find(|room| *room == from));
            assert!(below.is_some(), "{room} imports {import}, which is not below it");
        }
    }
}

#[test]
fn every_file_is_a_room() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders = [src.clone(), src.join("hints"), src.join("wire")];
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    assert_eq!(files.filter(|file| file.extension().is_some()).count(), ROOMS.len());
}
