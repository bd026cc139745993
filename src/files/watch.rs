//! Progress of a stage.

/// Hears of the progress of a stage. Results never depend on it.
pub trait Watch: Sync {
    /// A part of the stage begins: what it does, and how many steps it has (0 = not known).
    fn begin(&self, what: &str, total: u64);

    /// Steps of the current part that are done.
    fn advance(&self, steps: u64);
}

/// Shows nothing.
pub struct Quiet;

impl Watch for Quiet {
    fn begin(&self, _what: &str, _total: u64) {}

    fn advance(&self, _steps: u64) {}
}
