//! Command-line options: `--name value`, each with a default.

use std::collections::HashMap;
use std::str::FromStr;

/// What was given.
pub struct Options(HashMap<String, String>);

impl Options {
    /// Read pairs.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut given = HashMap::new();
        while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
            given.insert(name.trim_start_matches("--").to_owned(), value);
        }
        Self(given)
    }

    /// The text of an option that must be there.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("--{name} is missing"))
    }

    /// An option, or its default.
    pub fn get<T: FromStr>(&self, name: &str, default: T) -> T {
        self.0
            .get(name)
            .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("--{name} {text:?} cannot be read")))
    }
}
