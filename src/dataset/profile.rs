//! Static attributes of users.

use crate::ids::UserId;

/// What is known of one user besides the history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Age in years.
    pub age: Option<f32>,
    /// Gender as the data set spells it.
    pub gender: Option<String>,
    /// Occupation as the data set spells it.
    pub occupation: Option<String>,
}

/// The profiles of all users, indexed by [`UserId`].
#[derive(Clone, Debug, Default)]
pub struct Profiles(pub Vec<Profile>);

impl Profiles {
    /// The profile of one user.
    pub fn of(&self, user: UserId) -> &Profile {
        &self.0[user.index()]
    }
}
