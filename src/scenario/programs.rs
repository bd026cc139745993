//! The programs that a scenario starts.

use super::Scenario;
use std::fmt;

/// A program that a policy of a scenario would start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the policy that starts it, directly or as an inner policy.
    pub policy: String,
    /// The program and its arguments.
    pub command: String,
    /// The folder in which it is started.
    pub folder: String,
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program { policy, command, folder } = self;
        write!(formatter, "policy `{policy}` would run the program `{command}` in {folder}")
    }
}

impl Scenario {
    /// The programs that the policies would start, including those of inner policies, in the order of the policies.
    pub fn programs(&self) -> Vec<Program> {
        let mut found = Vec::new();
        for policy in &self.policies {
            collect(&policy.name, &policy.kind, &policy.params, &mut found);
        }
        found
    }
}

fn collect(policy: &str, kind: &str, params: &toml::Table, found: &mut Vec<Program>) {
    if kind == "external" {
        let words = params.get("command").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        let words: Vec<&str> = words.iter().filter_map(toml::Value::as_str).collect();
        let folder = params.get("folder").and_then(toml::Value::as_str).unwrap_or(".");
        found.push(Program { policy: policy.to_owned(), command: shown(&words.join(" ")), folder: shown(folder) });
    }
    for value in params.values() {
        let inner = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for table in inner.iter().filter_map(toml::Value::as_table) {
            collect(policy, table.get("kind").and_then(toml::Value::as_str).unwrap_or_default(), table, found);
        }
    }
}

/// A foreign text in a form that is safe for a terminal: it cannot move the cursor or hide a part.
fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use std::path::Path;

    #[test]
    fn programs_are_found_inside_other_policies_and_shown_unchanged() {
        let text = "data.path = 'x'\n[[policy]]\nkind = 'random'\n[[policy]]\nkind = 'mmr'\nname = 'wrapped'\n\
            inner = { kind = 'external', command = ['sh', \"-c\", \"rm\\u001b[2K x\"] }\n\
            [[policy]]\nkind = 'external'\ncommand = ['python3', 'own.py']\nfolder = '/tmp'\n";
        let scenario = Scenario::parse(text, Path::new("/s/a.toml"), &Registry::builtin(), &[]);
        let programs = scenario.unwrap_or_else(|problem| panic!("{problem}")).programs();
        let descriptions: Vec<String> = programs.iter().map(Program::to_string).collect();
        assert_eq!(descriptions.len(), 2, "{descriptions:?}");
        assert!(
            descriptions[0].starts_with("policy `wrapped` would run the program `sh -c rm\u{fffd}[2K x` in "),
            "{descriptions:?}"
        );
        assert_eq!(descriptions[1], "policy `external` would run the program `python3 own.py` in /tmp");
    }
}
