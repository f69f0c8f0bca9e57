//! Colours by what they mean. The three that carry a meaning differ in brightness as well as in hue, so that they are
//! told apart with any colour vision; `mono` has none and says it with bold, reverse and characters.

use ratatui::style::{Color, Modifier, Style};

use super::model::fleet::Class;

/// Which colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light one.
    Light,
    /// None.
    Mono,
}

/// Steps of the heat map's ramp, dark to bright (dark background) or bright to dark: from the xterm palette, near
/// viridis, which is even in brightness.
const RAMP: [u8; 8] = [17, 18, 24, 30, 36, 71, 149, 226];
const RAMP_LIGHT: [u8; 8] = [230, 193, 151, 109, 73, 67, 61, 54];

impl Theme {
    fn colour(self, dark: u8, light: u8, mono: Modifier) -> Style {
        match self {
            Self::Dark => Style::new().fg(Color::Indexed(dark)),
            Self::Light => Style::new().fg(Color::Indexed(light)),
            Self::Mono => Style::new().add_modifier(mono),
        }
    }

    /// As it should be: blue, not green.
    #[must_use]
    pub fn good(self) -> Style {
        self.colour(75, 25, Modifier::empty())
    }

    /// Look at it: yellow.
    #[must_use]
    pub fn warn(self) -> Style {
        self.colour(220, 130, Modifier::BOLD)
    }

    /// Act on it: a red that tends to orange.
    #[must_use]
    pub fn bad(self) -> Style {
        self.colour(203, 160, Modifier::BOLD.union(Modifier::REVERSED))
    }

    /// Less important.
    #[must_use]
    pub fn dim(self) -> Style {
        self.colour(245, 243, Modifier::DIM)
    }

    /// Titles and what is chosen.
    #[must_use]
    pub fn accent(self) -> Style {
        self.colour(117, 24, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    /// The row that is chosen.
    #[must_use]
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A class of callbacks.
    #[must_use]
    pub fn class(self, class: Class) -> Style {
        match class {
            Class::Delivered => self.good(),
            Class::Repeated => self.dim(),
            Class::Waiting => self.colour(183, 96, Modifier::BOLD),
            Class::Refused => self.warn(),
            Class::Failed => self.bad(),
        }
    }

    /// A cell of the heat map: its character and style, for a share from 0 to 1 of the fullest cell.
    #[must_use]
    pub fn heat(self, share: f64) -> (&'static str, Style) {
        if share <= 0.0 {
            return (" ", Style::new());
        }
        // The square root shows a small second hump beside a large one.
        let step = ((share.sqrt() * 7.0).ceil() as usize).clamp(1, 7);
        match self {
            Self::Dark => ("█", Style::new().fg(Color::Indexed(RAMP[step]))),
            Self::Light => ("█", Style::new().fg(Color::Indexed(RAMP_LIGHT[step]))),
            Self::Mono => (["·", "░", "░", "▒", "▒", "▓", "█"][step - 1], Style::new()),
        }
    }
}
