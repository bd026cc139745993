//! Static attributes of users.

/// What is known of one user besides the history.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Profile {
    /// Age in years.
    pub(super) age: Option<f32>,
    /// Gender as the data set spells it.
    pub(super) gender: Option<String>,
    /// Occupation as the data set spells it.
    pub(super) occupation: Option<String>,
}

/// The profiles of all users, indexed by [`crate::ids::UserId`].
#[derive(Clone, Debug, Default)]
pub(super) struct Profiles(pub(super) Vec<Profile>);
