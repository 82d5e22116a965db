//! Medians and other quantiles.

/// Sorted values.
pub struct Spread(Vec<f64>);

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value that this fraction of all values (0 to 1) does not exceed; NaN if there are no values.
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get((part * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// `1.21 (1.19–1.24)`: the median, and the range of the middle half of all values.
    pub fn ratio(&self) -> String {
        format!("{:.2} ({:.2}–{:.2})", self.median(), self.quantile(0.25), self.quantile(0.75))
    }
}
