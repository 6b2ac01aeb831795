//! Figures, as one JSON object.

/// The value below which `percent` of all lie; 0 of none.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(0.0)
}

/// A JSON object of one line.
pub fn line(figures: &[(&str, f64)]) -> String {
    let fields: Vec<String> = figures.iter().map(|(name, value)| format!("\"{name}\": {value:.3}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Print one line.
pub fn print(figures: &[(&str, f64)]) {
    println!("{}", line(figures));
}
