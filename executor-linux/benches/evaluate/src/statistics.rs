//! Times, and what is told of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A distribution of times, in microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Distribution {
    pub count: usize,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub mean_us: f64,
    pub max_us: f64,
    /// The times that 0, 0.5, 1, … 100 percent did not exceed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub curve_us: Vec<f64>,
}

impl Distribution {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let micros = |at: f64| {
            let index = ((times.len() as f64 * at) as usize).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| round(time.as_secs_f64() * 1e6))
        };
        let sum: Duration = times.iter().sum();
        Distribution {
            count: times.len(),
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            mean_us: round(sum.as_secs_f64() * 1e6 / times.len().max(1) as f64),
            max_us: micros(1.0),
            curve_us: Vec::new(),
        }
    }

    /// The same, with the curve.
    pub fn with_curve(times: Vec<Duration>) -> Self {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let curve = |step: usize| {
            let index = (sorted.len() * step / 200).min(sorted.len().saturating_sub(1));
            sorted.get(index).map_or(0.0, |time| round(time.as_secs_f64() * 1e6))
        };
        Distribution {
            curve_us: (0..=200).map(curve).collect(),
            ..Distribution::of(times)
        }
    }
}

/// The one in the middle; of an even number of values, the upper one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    round(values.get(values.len() / 2).copied().unwrap_or_default())
}

/// To three digits after the point: more would be noise.
pub fn round(value: f64) -> f64 {
    // No negative zero.
    (value * 1000.0).round() / 1000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_micros).collect();
        let distribution = Distribution::with_curve(times);
        assert_eq!(distribution.count, 100);
        assert!((distribution.p50_us - 51.0).abs() < 0.01);
        assert!((distribution.p99_us - 100.0).abs() < 0.01);
        assert!((distribution.mean_us - 50.5).abs() < 0.01);
        assert_eq!(distribution.curve_us.len(), 201);
        assert_eq!(Distribution::of(Vec::new()).count, 0);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
    }
}
