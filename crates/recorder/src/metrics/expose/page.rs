//! The page that is being written: pieces are gathered, and handed on when there are enough of them.

/// How much is gathered, bytes. It lies on the caller's stack.
const ROOM: usize = 2048;

pub(super) struct Page<'s> {
    gathered: [u8; ROOM],
    length: usize,
    sink: &'s mut dyn FnMut(&[u8]) -> bool,
    is_over: bool,
}

impl<'s> Page<'s> {
    pub(super) fn new(sink: &'s mut dyn FnMut(&[u8]) -> bool) -> Self {
        Self { gathered: [0; ROOM], length: 0, sink, is_over: false }
    }

    /// Whether nobody wants more of it.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn put(&mut self, text: &[u8]) {
        if text.len() > ROOM - self.length.min(ROOM) {
            self.hand_on();
        }
        match self.gathered.get_mut(self.length..).and_then(|rest| rest.get_mut(..text.len())) {
            Some(place) => {
                place.copy_from_slice(text);
                self.length += text.len();
            }
            None => self.is_over |= !(self.sink)(text),
        }
    }

    /// Hands on what is gathered; answers whether all was taken.
    pub(super) fn hand_on(&mut self) -> bool {
        if let Some(text) = self.gathered.get(..self.length)
            && !text.is_empty()
            && !self.is_over
        {
            self.is_over = !(self.sink)(text);
        }
        self.length = 0;
        !self.is_over
    }
}
