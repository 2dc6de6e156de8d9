//! The grammar of PEP 508.

use pep440_rs::{Version, VersionSpecifier};

use super::RequirementError;

/// Checks that a line is a requirement, and returns the name in it.
pub(super) fn name_of(line: &str) -> Result<&str, RequirementError> {
    Parser { line, rest: line }.requirement()
}

/// A parser by recursive descent; one method for each rule of PEP 508's grammar.
struct Parser<'a> {
    line: &'a str,
    /// The rest of `line`, which is still to be read.
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// The deepest nesting of parentheses: more than anyone writes, and not too deep for a small stack.
    const MOST_PARENTHESES: u8 = 50;

    /// `name [extras] (@ url | specifiers) [; marker]`
    fn requirement(&mut self) -> Result<&'a str, RequirementError> {
        let name = self.identifier("the name of a package, of letters, digits and . _ - between them")?;
        self.spaces();
        if self.eat("[") {
            self.extras()?;
        }
        self.spaces();
        if self.eat("@") {
            self.url()?;
        } else {
            self.specifiers()?;
        }
        self.spaces();
        if self.eat(";") {
            self.marker(0)?;
            self.end("\"and\", \"or\" or the end")?;
        } else {
            self.end("a version specifier, a comma, \"[\", \"@\", \";\" or the end")?;
        }
        Ok(name)
    }

    fn identifier(&mut self, expected: &'static str) -> Result<&'a str, RequirementError> {
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let (identifier, rest) = self.split_while(inside);
        let ends_well = |c: char| c.is_ascii_alphanumeric();
        if !identifier.starts_with(ends_well) || !identifier.ends_with(ends_well) {
            return Err(self.needs(expected));
        }
        self.rest = rest;
        Ok(identifier)
    }

    /// Reads the extras after `[`.
    fn extras(&mut self) -> Result<(), RequirementError> {
        self.spaces();
        if self.eat("]") {
            return Ok(());
        }
        loop {
            self.identifier("the name of an extra")?;
            self.spaces();
            if self.eat("]") {
                return Ok(());
            }
            self.expect(",", "a comma or \"]\"")?;
            self.spaces();
        }
    }

    /// Reads the URL after `@`. By PEP 508 it ends at a space, for pip also at a `;`, so it must not have a `;`.
    fn url(&mut self) -> Result<(), RequirementError> {
        self.spaces();
        let (url, rest) = self.split_while(|c| !c.is_whitespace() && c != ';');
        let (scheme, place) = url.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        let is_fetched = matches!(scheme.as_str(), "https" | "http")
            || ["git+", "hg+", "svn+", "bzr+"].iter().any(|prefix| scheme.starts_with(prefix));
        let has_place = !place.is_empty() && (scheme.ends_with("file") || !place.starts_with('/'));
        if !has_place || !(is_fetched || scheme == "file") {
            return Err(RequirementError::BadUrl { text: self.line.to_owned(), url: url.to_owned() });
        }
        self.rest = rest;
        if rest.starts_with(';') {
            return Err(self.needs("a space between the URL and \";\""));
        }
        Ok(())
    }

    /// Reads any number of specifiers with commas between them, all in parentheses or not. A comma may follow the last
    /// one.
    fn specifiers(&mut self) -> Result<(), RequirementError> {
        let parentheses = self.eat("(");
        self.spaces();
        while self.rest.starts_with(['=', '~', '!', '<', '>']) {
            self.specifier()?;
            self.spaces();
            if !self.eat(",") {
                break;
            }
            self.spaces();
        }
        if parentheses { self.expect(")", "a version specifier, a comma or \")\"") } else { Ok(()) }
    }

    fn specifier(&mut self) -> Result<(), RequirementError> {
        let start = self.rest;
        let operator = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"].into_iter().find(|&o| self.eat(o));
        let Some(operator) = operator else {
            return Err(self.needs("one of the operators == != <= >= < > ~= ==="));
        };
        self.spaces();
        // After `===`, the version takes in commas, as in pip.
        let (version, rest) =
            self.split_while(|c| !c.is_whitespace() && !matches!(c, ';' | ')') && (c != ',' || operator == "==="));
        // The operator has a space in it, as in `> =1`: joined below, the halves would make another operator.
        let fault = if version.is_empty() || version.starts_with(['=', '<', '>', '~', '!']) {
            Some("the version is missing")
        } else if operator == "===" {
            version.contains(',').then_some("=== takes the comma for a part of its version")
        } else if format!("{operator}{version}").parse::<VersionSpecifier>().is_ok() {
            None
        } else if version.ends_with(".*") && !matches!(operator, "==" | "!=") {
            Some("only == and != take .*")
        } else if version.contains('+') && !matches!(operator, "==" | "!=") {
            Some("only == and != take a local version (+…)")
        } else if operator == "~=" && version.parse::<Version>().is_ok() {
            Some("~= takes a version of two or more numbers")
        } else {
            Some("that is not a PEP 440 version")
        };
        if let Some(fault) = fault {
            let specifier = format!("{operator}{version}");
            return Err(RequirementError::Version { text: self.line.to_owned(), at: self.at(start), specifier, fault });
        }
        self.rest = rest;
        Ok(())
    }

    /// Reads the marker after `;` or `(`: comparisons with `and` and `or` between them.
    fn marker(&mut self, depth: u8) -> Result<(), RequirementError> {
        loop {
            self.spaces();
            if self.rest.starts_with('(') {
                if depth == Self::MOST_PARENTHESES {
                    return Err(self.needs("a marker with fewer parentheses in each other"));
                }
                self.eat("(");
                self.marker(depth + 1)?;
                self.expect(")", "\"and\", \"or\" or \")\"")?;
            } else {
                self.marker_value()?;
                self.spaces();
                self.marker_operator()?;
                self.spaces();
                self.marker_value()?;
            }
            self.spaces();
            if !self.eat_word("and") && !self.eat_word("or") {
                return Ok(());
            }
        }
    }

    /// Reads a variable, or text in quotes. The text must not have a backslash: pip reads Python's escapes, others
    /// don't.
    fn marker_value(&mut self) -> Result<(), RequirementError> {
        // The last six are older spellings that PEP 508 keeps.
        const VARIABLES: [&str; 18] = [
            "python_version",
            "python_full_version",
            "os_name",
            "sys_platform",
            "platform_release",
            "platform_system",
            "platform_version",
            "platform_machine",
            "platform_python_implementation",
            "implementation_name",
            "implementation_version",
            "extra",
            "os.name",
            "sys.platform",
            "platform.version",
            "platform.machine",
            "platform.python_implementation",
            "python_implementation",
        ];
        for quote in ['\'', '"'] {
            if let Some(quoted) = self.rest.strip_prefix(quote) {
                let Some((value, rest)) = quoted.split_once(quote) else {
                    return Err(self.needs("a closing quote for the text"));
                };
                if value.contains('\\') {
                    return Err(self.needs("text without a backslash"));
                }
                self.rest = rest;
                return Ok(());
            }
        }
        let (word, rest) = self.word();
        if !VARIABLES.contains(&word) {
            return Err(self.needs("a marker variable, such as python_version, or text in quotes"));
        }
        self.rest = rest;
        Ok(())
    }

    fn marker_operator(&mut self) -> Result<(), RequirementError> {
        if self.eat_word("in") {
            return Ok(());
        }
        if self.eat_word("not") {
            self.spaces();
            return if self.eat_word("in") { Ok(()) } else { Err(self.needs("\"in\" after \"not\"")) };
        }
        match ["===", "==", "~=", "!=", "<=", ">=", "<", ">"].into_iter().any(|operator| self.eat(operator)) {
            true => Ok(()),
            false => Err(self.needs("one of the operators == != <= >= < > ~= === in, not in")),
        }
    }

    fn end(&self, expected: &'static str) -> Result<(), RequirementError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.needs(expected)) }
    }

    fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), RequirementError> {
        if self.eat(token) { Ok(()) } else { Err(self.needs(expected)) }
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn eat_word(&mut self, wanted: &str) -> bool {
        let (word, rest) = self.word();
        let found = word == wanted;
        if found {
            self.rest = rest;
        }
        found
    }

    fn word(&self) -> (&'a str, &'a str) {
        self.split_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn split_while(&self, inside: impl Fn(char) -> bool) -> (&'a str, &'a str) {
        self.rest.split_at(self.rest.find(|c| !inside(c)).unwrap_or(self.rest.len()))
    }

    fn needs(&self, expected: &'static str) -> RequirementError {
        RequirementError::Syntax { text: self.line.to_owned(), at: self.at(self.rest), expected }
    }

    /// Where `rest` starts, counted in characters from 1.
    fn at(&self, rest: &str) -> usize {
        let read = self.line.len().saturating_sub(rest.len());
        self.line.get(..read).unwrap_or_default().chars().count() + 1
    }
}
