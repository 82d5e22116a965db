//! How the defects are declared: a variant, its name, its summary and its extension each.

/// Declares the type `Defect`. The caller imports `Arc` and `Extension`.
macro_rules! defects {
    ($( $variant:ident = $name:literal: $summary:literal => $extension:expr, )+) => {
        /// An error that the embedded proxy makes on purpose. `--proxy builtin:NAME` selects it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Defect {
            $( #[doc = $summary] $variant, )+
        }

        impl Defect {
            /// All defects.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name: `rate-limit-as-500`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What the proxy does, in one line.
            pub const fn summary(self) -> &'static str {
                match self { $( Self::$variant => $summary, )+ }
            }

            /// What gives the proxy this defect.
            pub(in crate::builtin) fn extension(self) -> Arc<dyn Extension> {
                match self { $( Self::$variant => Arc::new($extension), )+ }
            }
        }
    };
}

pub(super) use defects;
