//! Samples of differences whose true mean is 0, in shapes that replications have and in one that they should not have.
//! The bench and a unit test share this file.

/// How differences are distributed.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Normal with standard deviation 1.
    Normal,
    /// Uniform between -1 and 1.
    Uniform,
    /// The difference of the shares of 50 users who accept, 30% each, half of the users with the same draws: few values,
    /// many ties.
    Shares,
    /// The mean of 100 skewed (exponential) users: what a replication is.
    SkewedUsers,
    /// Exponential minus 1: one skewed user alone, as bad as it gets.
    Exponential,
}

impl Shape {
    /// All of them with what to call them.
    pub const ALL: [(Shape, &'static str); 5] = [
        (Shape::Normal, "normal"),
        (Shape::Uniform, "uniform"),
        (Shape::Shares, "shares of 50 users"),
        (Shape::SkewedUsers, "mean of 100 skewed"),
        (Shape::Exponential, "one exponential"),
    ];

    /// A difference, from uniform numbers in `[0, 1)`.
    pub fn draw(self, uniform: &mut impl FnMut() -> f64) -> f64 {
        match self {
            Shape::Normal => normal(uniform),
            Shape::Uniform => 2.0 * uniform() - 1.0,
            Shape::Shares => {
                let luck = |user: usize, uniform: &mut dyn FnMut() -> f64| {
                    let a = uniform();
                    (a, if user.is_multiple_of(2) { a } else { uniform() })
                };
                let accepts = |luck: f64| f64::from(u8::from(luck < 0.3));
                let difference = |(a, b): (f64, f64)| accepts(a) - accepts(b);
                (0..50).map(|user| difference(luck(user, uniform))).sum::<f64>() / 50.0
            }
            Shape::SkewedUsers => (0..100).map(|_| exponential(uniform)).sum::<f64>() / 100.0,
            Shape::Exponential => exponential(uniform),
        }
    }

    /// Some of them.
    pub fn sample(self, count: usize, uniform: &mut impl FnMut() -> f64) -> Vec<f64> {
        (0..count).map(|_| self.draw(uniform)).collect()
    }
}

/// By the method of Box and Muller.
fn normal(uniform: &mut impl FnMut() -> f64) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - uniform())).sqrt();
    radius * libm::cos(2.0 * std::f64::consts::PI * uniform())
}

fn exponential(uniform: &mut impl FnMut() -> f64) -> f64 {
    -libm::log(1.0 - uniform()) - 1.0
}
