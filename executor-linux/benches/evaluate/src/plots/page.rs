//! A page of panels side by side, with one legend and a line that names the machine.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;

use crate::statistics::median;

const PANEL: (u32, u32) = (340, 300);
const LEGEND_WIDTH: u32 = 190;
const TITLE_HEIGHT: u32 = 34;
const FOOT_HEIGHT: u32 = 22;
const FONT: &str = "sans-serif";

/// A line.
pub struct Series {
    pub label: &'static str,
    pub colour: (u8, u8, u8),
    pub points: Vec<(f64, f64)>,
}

/// How numbers become places.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Log10,
    Log2,
}

/// An axis.
#[derive(Clone)]
pub struct Axis {
    label: &'static str,
    scale: Scale,
}

impl Axis {
    pub fn linear(label: &'static str) -> Self {
        Axis {
            label,
            scale: Scale::Linear,
        }
    }

    pub fn log(label: &'static str) -> Self {
        Axis {
            label,
            scale: Scale::Log10,
        }
    }

    pub fn log2(label: &'static str) -> Self {
        Axis {
            label,
            scale: Scale::Log2,
        }
    }

    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log10 => value.max(1e-6).log10(),
            Scale::Log2 => value.max(1e-6).log2(),
        }
    }

    fn value(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Linear => place,
            Scale::Log10 => 10_f64.powf(place),
            Scale::Log2 => 2_f64.powf(place),
        }
    }

    /// The range of places that has all values, and where numbers stand.
    fn range(&self, values: impl Iterator<Item = f64>) -> (f64, f64, Vec<f64>) {
        let places: Vec<f64> = values.map(|value| self.place(value)).collect();
        let low = places.iter().copied().fold(f64::INFINITY, f64::min);
        let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !low.is_finite() {
            return (0.0, 1.0, vec![0.0, 1.0]);
        }
        match self.scale {
            Scale::Linear => {
                let step = nice_step(high);
                let high = (high / step).ceil() * step;
                (0.0, high, steps(0.0, high, step))
            }
            Scale::Log2 => (low.floor(), high.ceil(), steps(low.floor(), high.ceil(), 1.0)),
            Scale::Log10 => {
                // 1, 2, 5, 10, 20, …: as far as the values go.
                let all = (-30..40).map(|index: i32| {
                    f64::from(index.div_euclid(3)) + [0.0, 2_f64.log10(), 5_f64.log10()][index.rem_euclid(3) as usize]
                });
                let all: Vec<f64> = all.collect();
                let from = all.iter().rposition(|tick| *tick <= low + 1e-9).unwrap_or(0);
                let to = all
                    .iter()
                    .position(|tick| *tick >= high - 1e-9)
                    .unwrap_or(all.len() - 1);
                let mut ticks: Vec<f64> = all.get(from..=to.max(from + 1)).unwrap_or_default().to_vec();
                let ends = (ticks.first().copied(), ticks.last().copied());
                // Over many powers of ten there is room for these only.
                if ticks.len() > 11 {
                    ticks.retain(|tick| (tick - tick.round()).abs() < 1e-9);
                }
                (ends.0.unwrap_or(low), ends.1.unwrap_or(high), ticks)
            }
        }
    }
}

fn nice_step(high: f64) -> f64 {
    let rough = (high / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough - 1e-9)
        .unwrap_or(power)
}

fn steps(from: f64, to: f64, step: f64) -> Vec<f64> {
    let count = ((to - from) / step).round() as usize;
    (0..=count).map(|index| from + step * index as f64).collect()
}

/// An axis whose numbers stand where we say.
struct Places {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

impl Ranged for Places {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from).max(1e-9);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

/// 15,000 as 15k.
fn short(value: f64) -> String {
    let (value, suffix) = if value >= 1e6 {
        (value / 1e6, "M")
    } else if value >= 1e4 {
        (value / 1e3, "k")
    } else {
        (value, "")
    };
    let text = if value >= 10.0 || (value - value.round()).abs() < 0.01 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    };
    text + suffix
}

/// Lines over an axis.
pub struct Panel {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

/// A bar, and a line from it up to another value (0: none).
pub struct Bar {
    pub label: &'static str,
    pub colour: (u8, u8, u8),
    pub value: f64,
    pub upper: f64,
}

/// A bar of several parts.
pub struct Stack {
    pub label: String,
    /// (part, its colour, its value)
    pub parts: Vec<(&'static str, (u8, u8, u8), f64)>,
}

enum Content {
    Lines { panels: Vec<Panel>, is_y_common: bool },
    Bars(Vec<(String, Vec<Bar>)>),
    Stacks { unit: &'static str, stacks: Vec<Stack> },
}

/// What becomes one file.
pub struct Page {
    title: String,
    content: Content,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn drawn<E: std::fmt::Debug>(result: Result<(), E>) -> Result<()> {
    result.map_err(|error| anyhow!("cannot draw: {error:?}"))
}

impl Page {
    pub fn lines(title: &str, panels: Vec<Panel>) -> Self {
        Page {
            title: title.to_owned(),
            content: Content::Lines {
                panels,
                is_y_common: false,
            },
        }
    }

    /// All panels have the same vertical axis, so that their heights can be compared.
    pub fn with_common_y(mut self) -> Self {
        if let Content::Lines { is_y_common, .. } = &mut self.content {
            *is_y_common = true;
        }
        self
    }

    /// Groups of bars side by side.
    pub fn bars(title: &str, groups: Vec<(String, Vec<Bar>)>) -> Self {
        Page {
            title: title.to_owned(),
            content: Content::Bars(groups),
        }
    }

    /// Bars of parts.
    pub fn stacks(title: &str, unit: &'static str, stacks: Vec<Stack>) -> Self {
        Page {
            title: title.to_owned(),
            content: Content::Stacks { unit, stacks },
        }
    }

    /// Draw it; `below` is said at the foot.
    pub fn draw(&self, path: &Path, below: &str) -> Result<()> {
        let (columns, panel) = match &self.content {
            Content::Lines { panels, .. } => (panels.len(), PANEL),
            Content::Bars(groups) => (groups.len(), (PANEL.0 + 60, PANEL.1)),
            Content::Stacks { stacks, .. } => (
                1,
                (2 * PANEL.0 + 80, (70 + 44 * u32::try_from(stacks.len())?).max(PANEL.1)),
            ),
        };
        let width = (panel.0 * u32::try_from(columns)? + LEGEND_WIDTH).max(720);
        let size = (width, panel.1 + TITLE_HEIGHT + FOOT_HEIGHT);
        let root = SVGBackend::new(path, size).into_drawing_area();
        drawn(root.fill(&WHITE))?;
        let (head, rest) = root.split_vertically(TITLE_HEIGHT);
        let (body, foot) = rest.split_vertically(panel.1);
        drawn(head.draw(&Text::new(self.title.clone(), (10, 9), (FONT, 17))))?;
        drawn(foot.draw(&Text::new(
            below.to_owned(),
            (10, 4),
            (FONT, 11).into_font().color(&BLACK.mix(0.6)),
        )))?;
        let (plots, legend) = body.split_horizontally(width - LEGEND_WIDTH);
        let areas = plots.split_evenly((1, columns.max(1)));
        match &self.content {
            Content::Lines { panels, is_y_common } => {
                let all: Vec<f64> = panels.iter().flat_map(|panel| &panel.series).flat_map(ys).collect();
                for (area, panel) in areas.iter().zip(panels) {
                    panel.draw(area, is_y_common.then_some(&all))?;
                }
                let names = panels.iter().flat_map(|panel| &panel.series);
                draw_legend(&legend, names.map(|series| (series.label, series.colour)))?;
            }
            Content::Bars(groups) => {
                for (area, (title, bars)) in areas.iter().zip(groups) {
                    draw_bars(area, title, bars)?;
                }
                let names = groups.iter().flat_map(|(_, bars)| bars);
                draw_legend(&legend, names.map(|bar| (bar.label, bar.colour)))?;
            }
            Content::Stacks { unit, stacks } => {
                if let Some(area) = areas.first() {
                    draw_stacks(area, unit, stacks)?;
                }
                let names = stacks.iter().flat_map(|stack| &stack.parts);
                draw_legend(&legend, names.map(|(label, colour, _)| (*label, *colour)))?;
            }
        }
        drawn(root.present())
    }
}

fn ys(series: &Series) -> impl Iterator<Item = f64> {
    series.points.iter().map(|(_, y)| *y)
}

impl Panel {
    fn draw(&self, area: &Area<'_>, common: Option<&Vec<f64>>) -> Result<()> {
        let xs = self.series.iter().flat_map(|series| &series.points).map(|(x, _)| *x);
        let (left, right, x_ticks) = self.x.range(xs);
        let (bottom, top, y_ticks) = match common {
            Some(all) => self.y.range(all.iter().copied()),
            None => self.y.range(self.series.iter().flat_map(ys)),
        };
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 14))
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(52)
            .build_cartesian_2d(
                Places {
                    from: left,
                    to: right,
                    ticks: x_ticks,
                },
                Places {
                    from: bottom,
                    to: top,
                    ticks: y_ticks,
                },
            )
            .map_err(|error| anyhow!("cannot draw: {error:?}"))?;
        drawn(
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(BLACK.mix(0.12))
                .x_desc(self.x.label)
                .y_desc(self.y.label)
                .label_style((FONT, 11))
                .axis_desc_style((FONT, 12))
                .x_label_formatter(&|place| short(self.x.value(*place)))
                .y_label_formatter(&|place| short(self.y.value(*place)))
                .draw(),
        )?;
        for series in &self.series {
            let (red, green, blue) = series.colour;
            let colour = RGBColor(red, green, blue);
            let points: Vec<(f64, f64)> = series
                .points
                .iter()
                .map(|(x, y)| (self.x.place(*x), self.y.place(*y)))
                .collect();
            // A curve of many points needs no marks.
            if points.len() <= 20 {
                let marks = points.iter().map(|point| Circle::new(*point, 2, colour.filled()));
                drawn(chart.draw_series(marks).map(drop))?;
            }
            drawn(
                chart
                    .draw_series(LineSeries::new(points, colour.stroke_width(2)))
                    .map(drop),
            )?;
        }
        Ok(())
    }
}

fn draw_bars(area: &Area<'_>, title: &str, bars: &[Bar]) -> Result<()> {
    let axis = Axis::linear("");
    // What is far beyond most others is cut off, and its number tells.
    let middle = median(bars.iter().map(|bar| bar.value).collect());
    let highest = bars.iter().map(|bar| bar.value.max(bar.upper)).fold(0.0, f64::max);
    let most = highest.min(3.0 * middle);
    let (_, top, ticks) = axis.range([most * 1.1].into_iter());
    let count = bars.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 14))
        .margin(8)
        .x_label_area_size(8)
        .y_label_area_size(48)
        .build_cartesian_2d(
            0.0..count,
            Places {
                from: 0.0,
                to: top,
                ticks,
            },
        )
        .map_err(|error| anyhow!("cannot draw: {error:?}"))?;
    drawn(
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .label_style((FONT, 11))
            .y_label_formatter(&|value| short(*value))
            .draw(),
    )?;
    for (index, bar) in bars.iter().enumerate() {
        let (red, green, blue) = bar.colour;
        let (at, colour) = (index as f64, RGBColor(red, green, blue));
        let height = bar.value.min(top);
        drawn(
            chart
                .draw_series([Rectangle::new([(at + 0.15, 0.0), (at + 0.85, height)], colour.filled())])
                .map(drop),
        )?;
        if bar.upper > 0.0 {
            // At the side, so that the number stands beside it.
            let line = vec![(at + 0.82, height), (at + 0.82, bar.upper.min(top))];
            drawn(
                chart
                    .draw_series([PathElement::new(line, colour.stroke_width(2))])
                    .map(drop),
            )?;
        }
        // Of what is cut off, within the bar.
        let (place, ink) = if bar.value > top {
            (top - top / 60.0, WHITE)
        } else {
            (height + top / 22.0, BLACK)
        };
        let text = Text::new(short(bar.value), (at + 0.18, place), (FONT, 11).into_font().color(&ink));
        drawn(chart.draw_series([text]).map(drop))?;
    }
    Ok(())
}

fn draw_stacks(area: &Area<'_>, unit: &str, stacks: &[Stack]) -> Result<()> {
    let sum = |stack: &Stack| stack.parts.iter().map(|(_, _, value)| value).sum::<f64>();
    let most = stacks.iter().map(sum).fold(1.0, f64::max);
    let (_, right, ticks) = Axis::linear("").range([most].into_iter());
    let count = stacks.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(210)
        .build_cartesian_2d(
            Places {
                from: 0.0,
                to: right,
                ticks,
            },
            Places {
                from: 0.0,
                to: count,
                ticks: (0..stacks.len()).map(|index| index as f64 + 0.5).collect(),
            },
        )
        .map_err(|error| anyhow!("cannot draw: {error:?}"))?;
    let label = |place: &f64| {
        let index = stacks.len().saturating_sub(1).saturating_sub(*place as usize);
        stacks.get(index).map(|stack| stack.label.clone()).unwrap_or_default()
    };
    drawn(
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(unit)
            .label_style((FONT, 11))
            .axis_desc_style((FONT, 12))
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&label)
            .draw(),
    )?;
    for (index, stack) in stacks.iter().enumerate() {
        let at = count - 1.0 - index as f64;
        let mut from = 0.0;
        for (_, (red, green, blue), value) in &stack.parts {
            let corners = [(from, at + 0.2), (from + value, at + 0.8)];
            let part = Rectangle::new(corners, RGBColor(*red, *green, *blue).filled());
            drawn(chart.draw_series([part]).map(drop))?;
            from += value;
        }
    }
    Ok(())
}

fn draw_legend(area: &Area<'_>, names: impl Iterator<Item = (&'static str, (u8, u8, u8))>) -> Result<()> {
    let mut shown: Vec<&str> = Vec::new();
    for (label, (red, green, blue)) in names {
        if shown.contains(&label) {
            continue;
        }
        let y = 30 + 20 * i32::try_from(shown.len())?;
        shown.push(label);
        let colour = RGBColor(red, green, blue);
        drawn(area.draw(&Rectangle::new([(6, y), (20, y + 11)], colour.filled())))?;
        drawn(area.draw(&Text::new(label, (26, y), (FONT, 13))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails so")]
    use super::*;

    #[test]
    fn an_axis_has_all_values_between_round_numbers() {
        let (low, high, ticks) = Axis::log("").range([30.0, 450.0].into_iter());
        let values: Vec<f64> = ticks.iter().map(|tick| 10_f64.powf(*tick).round()).collect();
        assert_eq!(values, [20.0, 50.0, 100.0, 200.0, 500.0]);
        assert!((10_f64.powf(low) - 20.0).abs() < 1e-6 && (10_f64.powf(high) - 500.0).abs() < 1e-6);
        let (.., ticks) = Axis::log("").range([1.0, 10_000.0].into_iter());
        assert_eq!(ticks, [0.0, 1.0, 2.0, 3.0, 4.0], "no room for more numbers");
        let (low, high, ticks) = Axis::linear("").range([3.0, 97.0].into_iter());
        assert_eq!((low, high, ticks.len()), (0.0, 100.0, 6));
        assert_eq!(
            (short(1500.0), short(150_000.0)),
            ("1500".to_owned(), "150k".to_owned())
        );
        assert_eq!(short(15_000.0), "15k");
        assert_eq!(short(2.5), "2.5");
    }

    #[test]
    fn a_page_becomes_a_file_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plot.svg");
        let series = Series {
            label: "some system",
            colour: (1, 2, 3),
            points: vec![(1.0, 10.0), (2.0, 2000.0)],
        };
        let panel = Panel {
            title: "a panel".to_owned(),
            x: Axis::linear("across"),
            y: Axis::log("up"),
            series: vec![series],
        };
        Page::lines("a page", vec![panel]).draw(&path, "a machine").unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        for word in [
            "a page",
            "a panel",
            "across",
            "up",
            "some system",
            "a machine",
            "#010203",
        ] {
            assert!(text.contains(word), "{word} is missing");
        }
    }
}
