//! The named entities of HTML 4, the only ones that python-slugify decodes.
//!
//! python-slugify 3.0.x takes them from Python's `html.entities.name2codepoint`: 252 names, case-sensitive, each with
//! its semicolon. The names that HTML 5 added are not among them (`&apos;` stays as it is).

/// The character that `name` (without `&` and `;`) stands for.
pub(super) fn named_entity(name: &str) -> Option<char> {
    // One text takes a quarter of the download size of a table of names and characters.
    let value = |entity: &'static str| entity.strip_prefix(name)?.strip_prefix('=');
    NAMED_ENTITIES.split(' ').find_map(value)?.chars().next()
}

/// Names and characters.
const NAMED_ENTITIES: &str = "\
    AElig=Æ Aacute=Á Acirc=Â Agrave=À Alpha=Α Aring=Å Atilde=Ã Auml=Ä Beta=Β Ccedil=Ç Chi=Χ Dagger=‡ Delta=Δ \
    ETH=Ð Eacute=É Ecirc=Ê Egrave=È Epsilon=Ε Eta=Η Euml=Ë Gamma=Γ Iacute=Í Icirc=Î Igrave=Ì Iota=Ι Iuml=Ï \
    Kappa=Κ Lambda=Λ Mu=Μ Ntilde=Ñ Nu=Ν OElig=Œ Oacute=Ó Ocirc=Ô Ograve=Ò Omega=Ω Omicron=Ο Oslash=Ø Otilde=Õ \
    Ouml=Ö Phi=Φ Pi=Π Prime=″ Psi=Ψ Rho=Ρ Scaron=Š Sigma=Σ THORN=Þ Tau=Τ Theta=Θ Uacute=Ú Ucirc=Û Ugrave=Ù \
    Upsilon=Υ Uuml=Ü Xi=Ξ Yacute=Ý Yuml=Ÿ Zeta=Ζ aacute=á acirc=â acute=´ aelig=æ agrave=à alefsym=ℵ alpha=α \
    amp=\u{26} and=∧ ang=∠ aring=å asymp=≈ atilde=ã auml=ä bdquo=„ beta=β brvbar=¦ bull=• cap=∩ ccedil=ç \
    cedil=¸ cent=¢ chi=χ circ=ˆ clubs=♣ cong=≅ copy=© crarr=↵ cup=∪ curren=¤ dArr=⇓ dagger=† darr=↓ deg=° \
    delta=δ diams=♦ divide=÷ eacute=é ecirc=ê egrave=è empty=∅ emsp=\u{2003} ensp=\u{2002} epsilon=ε equiv=≡ \
    eta=η eth=ð euml=ë euro=€ exist=∃ fnof=ƒ forall=∀ frac12=½ frac14=¼ frac34=¾ frasl=⁄ gamma=γ ge=≥ \
    gt=\u{3e} hArr=⇔ harr=↔ hearts=♥ hellip=… iacute=í icirc=î iexcl=¡ igrave=ì image=ℑ infin=∞ int=∫ iota=ι \
    iquest=¿ isin=∈ iuml=ï kappa=κ lArr=⇐ lambda=λ lang=〈 laquo=« larr=← lceil=⌈ ldquo=“ le=≤ lfloor=⌊ \
    lowast=∗ loz=◊ lrm=\u{200e} lsaquo=‹ lsquo=‘ lt=\u{3c} macr=¯ mdash=— micro=µ middot=· minus=− mu=μ \
    nabla=∇ nbsp=\u{a0} ndash=– ne=≠ ni=∋ not=¬ notin=∉ nsub=⊄ ntilde=ñ nu=ν oacute=ó ocirc=ô oelig=œ ograve=ò \
    oline=‾ omega=ω omicron=ο oplus=⊕ or=∨ ordf=ª ordm=º oslash=ø otilde=õ otimes=⊗ ouml=ö para=¶ part=∂ \
    permil=‰ perp=⊥ phi=φ pi=π piv=ϖ plusmn=± pound=£ prime=′ prod=∏ prop=∝ psi=ψ quot=\u{22} rArr=⇒ radic=√ \
    rang=〉 raquo=» rarr=→ rceil=⌉ rdquo=” real=ℜ reg=® rfloor=⌋ rho=ρ rlm=\u{200f} rsaquo=› rsquo=’ sbquo=‚ \
    scaron=š sdot=⋅ sect=§ shy=\u{ad} sigma=σ sigmaf=ς sim=∼ spades=♠ sub=⊂ sube=⊆ sum=∑ sup=⊃ sup1=¹ sup2=² \
    sup3=³ supe=⊇ szlig=ß tau=τ there4=∴ theta=θ thetasym=ϑ thinsp=\u{2009} thorn=þ tilde=˜ times=× trade=™ \
    uArr=⇑ uacute=ú uarr=↑ ucirc=û ugrave=ù uml=¨ upsih=ϒ upsilon=υ uuml=ü weierp=℘ xi=ξ yacute=ý yen=¥ yuml=ÿ \
    zeta=ζ zwj=\u{200d} zwnj=\u{200c}";

#[cfg(test)]
mod tests {
    use super::{NAMED_ENTITIES, named_entity};

    #[test]
    fn every_name_is_there_once_and_found() {
        let mut names = std::collections::BTreeSet::new();
        for entity in NAMED_ENTITIES.split(' ') {
            let (name, character) = entity.split_once('=').unwrap();
            assert!(names.insert(name), "{name}");
            assert_eq!(named_entity(name).map(String::from), Some(character.to_owned()), "{name}");
        }
        assert_eq!(names.len(), 252);
    }

    #[test]
    fn case_matters_and_html_5_is_unknown() {
        assert_eq!(named_entity("Eacute"), Some('É'));
        assert_eq!(named_entity("eacute"), Some('é'));
        assert_eq!(named_entity("EACUTE"), None);
        assert_eq!(named_entity("apos"), None);
        assert_eq!(named_entity(""), None);
        assert_eq!(named_entity("amp=&"), None);
        assert_eq!(named_entity("thetasy"), None);
    }
}
