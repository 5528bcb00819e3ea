//! Metrics of the public build: handles without size, whose calls are empty.

use std::marker::PhantomData;

/// A label's name and its value.
pub type Label<'a> = (&'a str, &'a str);

/// The bounds of a histogram that names none.
pub const DEFAULT_BOUNDS: &[f64] = &[];

macro_rules! metrics {
    ($($name:ident, $bound:ident { $($call:ident($($value:ty)?);)+ })+) => {
        $(
            /// Nothing in this build.
            #[derive(Debug)]
            pub struct $name(());

            /// Nothing in this build.
            #[derive(Clone, Copy, Debug)]
            pub struct $bound(());

            #[expect(missing_docs, reason = "the build that has them documents them")]
            impl $name {
                #[must_use]
                #[inline(always)]
                pub const fn new(_: &'static str, _: &'static str, _: &'static str) -> Self {
                    Self(())
                }
                #[must_use]
                #[inline(always)]
                pub const fn unit(self, _: &'static str) -> Self {
                    self
                }
                #[must_use]
                #[inline(always)]
                pub const fn labels(self, _: &'static [Label<'static>]) -> Self {
                    self
                }
                #[must_use]
                #[inline(always)]
                pub const fn with(&self, _: &[Label<'_>]) -> $bound {
                    $bound(())
                }
                $(#[inline(always)]
                pub const fn $call(&self $(, _: $value)?) {})+
            }

            #[expect(missing_docs, reason = "the build that has them documents them")]
            impl $bound {
                $(#[inline(always)]
                pub const fn $call(&self $(, _: $value)?) {})+
            }
        )+
    };
}

metrics! {
    Counter, BoundCounter { add(u64); increment(); }
    Gauge, BoundGauge { set(f64); add(f64); }
    Histogram, BoundHistogram { observe(f64); }
}

#[expect(missing_docs, reason = "the build that has them documents them")]
impl Histogram {
    #[must_use]
    #[inline(always)]
    pub const fn bounds(self, _: &'static [f64]) -> Self {
        self
    }
    #[must_use]
    #[inline(always)]
    pub const fn start_timer(&self) -> Timer<'_> {
        Timer(PhantomData)
    }
}

/// Nothing in this build.
#[derive(Debug)]
pub struct Info(());

#[expect(missing_docs, reason = "the build that has them documents them")]
impl Info {
    #[must_use]
    #[inline(always)]
    pub const fn new(_: &'static str, _: &'static str, _: &'static str) -> Self {
        Self(())
    }
    #[inline(always)]
    pub const fn set(&self, _: &[Label<'_>]) {}
}

/// Nothing in this build.
#[derive(Debug)]
pub struct Timer<'a>(PhantomData<&'a Histogram>);
