//! Tables in memory in the place of files: found by their names.

use super::Tables;
use super::find::Found;
use super::spec::Spec;
use crate::dataset::MemoryTables;
use crate::dataset::import::{ImportError, Publisher};
use crate::dataset::sheet::Sheet;
use crate::files::FileError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names of the tables in messages.
pub(in crate::dataset) struct MemoryNames;

impl MemoryNames {
    pub(in crate::dataset) const LOG: &'static str = "interactions";
    pub(in crate::dataset) const ITEMS: &'static str = "items";
    pub(in crate::dataset) const USERS: &'static str = "users";
}

/// The data set of tables in memory.
pub(in crate::dataset) fn tables_in_memory(tables: &MemoryTables) -> Result<Box<dyn Publisher>, ImportError> {
    let spec = Spec::parse(&tables.roles, Path::new("roles"))?;
    let found = Found {
        logs: vec![PathBuf::from(MemoryNames::LOG)],
        items: tables.items.as_ref().map(|_| PathBuf::from(MemoryNames::ITEMS)),
        users: tables.users.as_ref().map(|_| PathBuf::from(MemoryNames::USERS)),
        history: None,
        unread: Vec::new(),
        unreadable: Vec::new(),
        headers: BTreeMap::new(),
    };
    Ok(Box::new(Tables::new(found, spec, Some(tables.clone()))?))
}

/// The table with this name.
pub(super) fn sheet(tables: &MemoryTables, name: &Path) -> Result<Sheet, FileError> {
    let table = match name.to_str() {
        Some(MemoryNames::ITEMS) => tables.items.as_ref(),
        Some(MemoryNames::USERS) => tables.users.as_ref(),
        _ => Some(&tables.interactions),
    };
    Sheet::of(name, table.unwrap_or(&tables.interactions).clone())
}
