//! What comes out: metrics, series and histograms of one run; files, tables and plots of them.

pub mod histograms;
pub mod host;
pub mod outcome;
pub mod plot;
pub mod table;
