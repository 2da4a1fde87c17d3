//! Plots as SVG and PNG. The font of the PNGs is built in, so that a machine without any draws them, too.

use super::outcome::Second;
use crate::Result;
use hdrhistogram::Histogram;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use std::path::Path;
use std::sync::Once;

const SIZE: (u32, u32) = (960, 540);
const FONT: &str = "sans-serif";
/// Told apart by people who see few colours, too (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

type Canvas<B> = DrawingArea<B, Shift>;

/// One line of a plot.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Axes of a plot.
struct Axes<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
}

/// MiB/s and CPU by second, to `PATH.svg` and `PATH.png`.
pub fn throughput(seconds: &[Second], path: &Path) -> Result<()> {
    let line = |name: &str, value: fn(&Second) -> f64| {
        let points: Vec<(f64, f64)> = seconds.iter().enumerate().map(|(second, at)| (second as f64 + 0.5, value(at))).collect();
        points.iter().any(|point| point.1 > 0.0).then(|| Line { name: name.into(), points })
    };
    let lines = [
        line("produced", |second| second.produced_mib),
        line("consumed", |second| second.consumed_mib),
        line("caught up beside", |second| second.caught_up_mib),
    ];
    over_time("Throughput", "MiB/s", &lines.into_iter().flatten().collect::<Vec<_>>(), path)
}

/// Lines over the seconds of a run.
pub fn over_time(title: &str, unit: &str, lines: &[Line], path: &Path) -> Result<()> {
    let axes = Axes { title, x: "seconds", y: unit };
    let x_max = max_of(lines, |point| point.0).ceil().max(1.0);
    let y_max = max_of(lines, |point| point.1).max(1e-9) * 1.05;
    both(path, |canvas| draw_linear(canvas, &axes, (x_max, y_max), lines), |canvas| draw_linear(canvas, &axes, (x_max, y_max), lines))
}

/// Latencies by percentile, the distance to 100 % and the latency both logarithmic.
pub fn percentiles(title: &str, latencies: &[(String, &Histogram<u64>)], path: &Path) -> Result<()> {
    let lines: Vec<Line> = latencies.iter().map(|(name, latencies)| Line { name: name.clone(), points: curve(latencies) }).collect();
    quantiles(title, &lines, path)
}

/// The same of points (1/(1 - quantile), ms).
pub fn quantiles(title: &str, lines: &[Line], path: &Path) -> Result<()> {
    let x_max = max_of(lines, |point| point.0).max(10.0);
    let low = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = max_of(lines, |point| point.1);
    let y = (low.min(high).max(0.001), high.max(0.002) * 1.2);
    let axes = Axes { title, x: "percentile", y: "ms" };
    both(path, |canvas| draw_percentiles(canvas, &axes, (x_max, y), lines), |canvas| draw_percentiles(canvas, &axes, (x_max, y), lines))
}

/// (1/(1 - quantile), ms), as far out as there are values.
fn curve(latencies: &Histogram<u64>) -> Vec<(f64, f64)> {
    let most = (latencies.len().max(1) as f64).max(2.0);
    let steps =
        latencies.iter_quantiles(8).map(|step| (1.0 / (1.0 - step.quantile_iterated_to()).max(1.0 / most), step.value_iterated_to()));
    steps.map(|(x, us)| (x, us as f64 / 1000.0)).collect()
}

fn max_of(lines: &[Line], of: impl Fn(&(f64, f64)) -> f64) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(of).fold(0.0, f64::max)
}

fn both(
    path: &Path,
    svg: impl FnOnce(&Canvas<SVGBackend<'_>>) -> Result<()>,
    png: impl FnOnce(&Canvas<BitMapBackend<'_>>) -> Result<()>,
) -> Result<()> {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT));
    // The names of scenarios may have dots in them.
    let with = |extension: &str| path.with_file_name(format!("{}.{extension}", path.file_name().unwrap_or_default().to_string_lossy()));
    let (svg_path, png_path) = (with("svg"), with("png"));
    let canvas = SVGBackend::new(&svg_path, SIZE).into_drawing_area();
    svg(&canvas)?;
    canvas.present().map_err(shown)?;
    let canvas = BitMapBackend::new(&png_path, SIZE).into_drawing_area();
    png(&canvas)?;
    canvas.present().map_err(shown)
}

fn draw_linear<B: DrawingBackend>(canvas: &Canvas<B>, axes: &Axes<'_>, (x_max, y_max): (f64, f64), lines: &[Line]) -> Result<()> {
    canvas.fill(&WHITE).map_err(shown)?;
    let mut chart = builder(canvas, axes).build_cartesian_2d(0.0..x_max, 0.0..y_max).map_err(shown)?;
    chart.configure_mesh().x_desc(axes.x).y_desc(axes.y).label_style((FONT, 15)).light_line_style(WHITE).draw().map_err(shown)?;
    draw_lines(&mut chart, lines)
}

fn draw_percentiles<B: DrawingBackend>(
    canvas: &Canvas<B>,
    axes: &Axes<'_>,
    (x_max, (low, high)): (f64, (f64, f64)),
    lines: &[Line],
) -> Result<()> {
    canvas.fill(&WHITE).map_err(shown)?;
    let (x, y) = ((1.0..x_max).log_scale(), (low..high).log_scale());
    let mut chart = builder(canvas, axes).build_cartesian_2d(x, y).map_err(shown)?;
    let (percentile, ms) = (|x: &f64| percentile_name(*x), |y: &f64| format!("{y}"));
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(axes.x).y_desc(axes.y).label_style((FONT, 15)).light_line_style(WHITE);
    mesh.x_label_formatter(&percentile).y_label_formatter(&ms).draw().map_err(shown)?;
    draw_lines(&mut chart, lines)
}

/// 10 is 90 %, 100 is 99 %.
fn percentile_name(x: f64) -> String {
    let percent = 100.0 * (1.0 - 1.0 / x.max(1.0));
    let digits = (x.log10().ceil() as usize).saturating_sub(2);
    format!("{percent:.digits$}%")
}

fn builder<'a, 'b, B: DrawingBackend>(canvas: &'a Canvas<B>, axes: &Axes<'_>) -> ChartBuilder<'a, 'b, B> {
    let mut builder = ChartBuilder::on(canvas);
    builder.caption(axes.title, (FONT, 22)).margin(12).margin_right(40).x_label_area_size(42).y_label_area_size(70);
    builder
}

fn draw_lines<'a, B: DrawingBackend + 'a, X, Y>(chart: &mut ChartContext<'a, B, Cartesian2d<X, Y>>, lines: &[Line]) -> Result<()>
where
    X: plotters::coord::ranged1d::Ranged<ValueType = f64>,
    Y: plotters::coord::ranged1d::Ranged<ValueType = f64>,
{
    for (index, line) in lines.iter().enumerate() {
        let style = COLOURS[index % COLOURS.len()].stroke_width(2);
        let drawn = chart.draw_series(LineSeries::new(line.points.iter().copied(), style)).map_err(shown)?;
        drawn.label(&line.name).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
    }
    if lines.is_empty() {
        return Ok(());
    }
    let mut labels = chart.configure_series_labels();
    labels.background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).label_font((FONT, 15)).position(SeriesLabelPosition::UpperLeft);
    labels.draw().map_err(shown)
}

fn shown(error: impl std::fmt::Debug) -> crate::Error {
    format!("plotting: {error:?}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_named_by_their_distance_to_all() {
        assert_eq!([1.0, 10.0, 100.0, 1000.0, 10000.0].map(percentile_name), ["0%", "90%", "99%", "99.9%", "99.99%"]);
    }

    #[test]
    fn a_plot_is_a_text_and_a_picture() {
        let directory = tempfile::tempdir().unwrap();
        let mut latencies = crate::load::tally::latencies();
        (1..10_000).for_each(|us| latencies.record(us).unwrap());
        percentiles("Latency", &[("of 1.5 KiB".into(), &latencies)], &directory.path().join("a.b")).unwrap();
        throughput(&[Second { produced_mib: 3.0, ..Second::default() }], &directory.path().join("over")).unwrap();
        let svg = std::fs::read_to_string(directory.path().join("a.b.svg")).unwrap();
        assert!(svg.contains("of 1.5 KiB") && svg.contains("99.9%"), "{svg}");
        assert!(std::fs::read(directory.path().join("over.png")).unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn nothing_at_all_is_plotted_empty() {
        let directory = tempfile::tempdir().unwrap();
        throughput(&[], &directory.path().join("none")).unwrap();
    }
}
