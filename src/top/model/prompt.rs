//! A line that is being typed: moved in, cut and pasted into as in a shell, and never longer than it may be.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};

use crate::top::text::{clean, columns};

/// The line.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    input: Input,
    chars: usize,
    bytes: usize,
}

impl Prompt {
    /// One that holds that text, and may hold so many characters and bytes.
    #[must_use]
    pub fn new(text: &str, chars: usize, bytes: usize) -> Self {
        Self { input: Input::new(text.to_owned()), chars, bytes }
    }

    /// What stands there.
    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// A key: a character, or what a shell does at it.
    pub fn key(&mut self, key: &KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let request = match (key.code, control, alt) {
            (KeyCode::Char(c), false, false) => return self.put(c),
            (KeyCode::Char('u'), true, _) => InputRequest::DeleteFromStart,
            (KeyCode::Char('k'), true, _) => InputRequest::DeleteTillEnd,
            (KeyCode::Char('w'), true, _) | (KeyCode::Backspace, _, true) | (KeyCode::Backspace, true, _) => {
                InputRequest::DeletePrevWord
            }
            (KeyCode::Char('a'), true, _) | (KeyCode::Home, ..) => InputRequest::GoToStart,
            (KeyCode::Char('e'), true, _) | (KeyCode::End, ..) => InputRequest::GoToEnd,
            (KeyCode::Char('d'), true, _) | (KeyCode::Delete, ..) => InputRequest::DeleteNextChar,
            (KeyCode::Char('h'), true, _) | (KeyCode::Backspace, ..) => InputRequest::DeletePrevChar,
            (KeyCode::Left, true, _) | (KeyCode::Left, _, true) | (KeyCode::Char('b'), _, true) => {
                InputRequest::GoToPrevWord
            }
            (KeyCode::Right, true, _) | (KeyCode::Right, _, true) | (KeyCode::Char('f'), _, true) => {
                InputRequest::GoToNextWord
            }
            (KeyCode::Char('b'), true, _) | (KeyCode::Left, ..) => InputRequest::GoToPrevChar,
            (KeyCode::Char('f'), true, _) | (KeyCode::Right, ..) => InputRequest::GoToNextChar,
            _ => return,
        };
        self.input.handle(request);
    }

    /// A character, where there is room for it.
    fn put(&mut self, c: char) {
        let text = self.input.value();
        if !c.is_control() && text.chars().count() < self.chars && text.len() + c.len_utf8() <= self.bytes {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// What was pasted, as far as there is room: the ends of its lines are blanks, and none at its own ends.
    pub fn paste(&mut self, text: &str) {
        text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c }).for_each(|c| self.put(c));
    }

    /// What is shown of it in so many columns, before and behind the cursor, which takes one more.
    #[must_use]
    pub fn around(&self, width: usize) -> (String, String) {
        let text = self.input.value();
        let at = text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(at, _)| at);
        let (before, behind) = text.split_at(at);
        let (mut before, behind) = (clean(before, usize::MAX), clean(behind, usize::MAX));
        // As much as is there, but of what comes next a little where there is any.
        let room = width.saturating_sub(columns(&behind).min(4));
        if columns(&before) > room {
            while columns(&before) + 1 > room {
                if before.is_empty() {
                    break;
                }
                before.remove(0);
            }
            before.insert(0, '…');
        }
        let left = width.saturating_sub(columns(&before));
        (before, clean(&behind, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(prompt: &mut Prompt, code: KeyCode, modifiers: KeyModifiers) {
        prompt.key(&KeyEvent::new(code, modifiers));
    }

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        let mut prompt = Prompt::new("one two 三四", 20, 60);
        let none = KeyModifiers::NONE;
        press(&mut prompt, KeyCode::Left, none);
        press(&mut prompt, KeyCode::Char('x'), none);
        assert_eq!(prompt.text(), "one two 三x四");
        press(&mut prompt, KeyCode::Home, none);
        press(&mut prompt, KeyCode::Delete, none);
        press(&mut prompt, KeyCode::End, none);
        press(&mut prompt, KeyCode::Backspace, none);
        assert_eq!(prompt.text(), "ne two 三x");
        press(&mut prompt, KeyCode::Char('w'), KeyModifiers::CONTROL);
        press(&mut prompt, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert!(prompt.text().trim_end() == "ne two" || prompt.text().trim_end() == "ne", "{:?}", prompt.text());
        press(&mut prompt, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(prompt.text(), "");
        for code in [KeyCode::Char('q'), KeyCode::Char('z')] {
            press(&mut prompt, code, KeyModifiers::CONTROL);
            press(&mut prompt, code, KeyModifiers::ALT);
        }
        assert_eq!(prompt.text(), "", "what means nothing is no character");
    }

    #[test]
    fn what_is_pasted_is_one_line_and_no_longer_than_it_may_be() {
        let mut prompt = Prompt::new("", 10, 12);
        prompt.paste("  a\r\nb\u{1b}[2J\n");
        assert_eq!(prompt.text(), "a  b[2J");
        prompt.paste("卡卡卡");
        assert_eq!(prompt.text(), "a  b[2J卡");
    }

    #[test]
    fn the_cursor_is_always_in_sight() {
        let mut prompt = Prompt::new(&"宽".repeat(50), 200, 600);
        for _ in 0..60 {
            let (before, behind) = prompt.around(21);
            assert!(columns(&before) + columns(&behind) <= 21, "{before}|{behind}");
            press(&mut prompt, KeyCode::Left, KeyModifiers::NONE);
        }
        assert_eq!(prompt.around(21).0, "");
    }
}
