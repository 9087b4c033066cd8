package decide

import (
	"strings"
	"unicode/utf8"

	"buzon/agent/policy"
)

// pattern is a text of a document made ready: literals, wildcards, variables.
type pattern struct {
	of     *Evaluator
	pieces []policy.Piece
	parts  [][]policy.Piece // of an ARN: divided at its first five colons
	broken bool             // it holds a variable that isn't one
	wide   bool             // it counts only where a statement is read widely
	open   bool             // it holds a symbol that may be any text
	symbol bool             // it holds a symbol
	vars   bool             // it holds variables
}

func (e *Evaluator) pattern(text string, variables bool) pattern {
	pieces, ok := policy.Pieces(text, variables)
	p := pattern{of: e, pieces: pieces, broken: !ok}
	for _, piece := range pieces {
		p.vars = p.vars || piece.Kind == policy.Variable
	}
	for _, c := range text {
		if policy.IsSymbol(c) {
			p.symbol = true
			p.open = p.open || e.symbols[c].Open
		}
	}
	return p
}

// plain makes the wildcards plain text, as operators without wildcards read
// them.
func (p *pattern) plain() {
	for i := range p.pieces {
		switch p.pieces[i].Kind {
		case policy.AnyRun, policy.AnyOne:
			p.pieces[i].Kind = policy.Literal
		case policy.Literal, policy.Variable:
		}
	}
}

// expand puts the request's values in the place of variables. It is no where a
// variable has neither a value nor a default, so that nothing can match, and
// maybe where it has several values.
func (p *pattern) expand(r *request) ([]policy.Piece, truth) {
	if p.broken {
		return nil, maybe
	}
	if !p.vars {
		return p.pieces, yes
	}
	out := make([]policy.Piece, 0, len(p.pieces))
	for _, piece := range p.pieces {
		if piece.Kind == policy.Variable {
			values := r.values(strings.ToLower(piece.Key))
			switch {
			case len(values) == 1:
				piece = policy.Piece{Kind: policy.Literal, Text: values[0]}
			case len(values) > 1:
				return nil, maybe
			case piece.HasDefault:
				piece = policy.Piece{Kind: policy.Literal, Text: piece.Default}
			default:
				return nil, no
			}
		}
		out = append(out, piece)
	}
	return out, yes
}

// match holds a text against the pattern. Read widely, it is one glob over the
// whole text. Read narrowly, the pattern of an ARN has to match segment by
// segment as well, and a symbol stands for nothing but itself.
func (p *pattern) match(text string, r *request, wide, arn bool) truth {
	if !wide && (p.wide || p.open) {
		return no
	}
	pieces, t := p.expand(r)
	if t != yes {
		return t
	}
	if wide && (p.symbol || policy.HasSymbol(text)) {
		return sure(p.of.overlap(pieces, text))
	}
	if !glob(pieces, text) {
		return no
	}
	if !wide && arn && p.parts != nil {
		return sure(p.bySegment(pieces, text))
	}
	return yes
}

// arn holds a text against the pattern as the Arn operators do: segment by
// segment, so that a wildcard crosses no colon but in the last. What AWS makes
// of a pattern that hasn't six segments stands nowhere: read widely it is a
// glob, read narrowly it matches nothing.
func (p *pattern) arn(text string, r *request, wide bool) truth {
	if !wide && p.open {
		return no
	}
	pieces, t := p.expand(r)
	if t != yes {
		return t
	}
	if wide && (p.symbol || policy.HasSymbol(text)) {
		return sure(p.of.overlap(pieces, text))
	}
	return sure(p.bySegment(pieces, text) || wide && len(segments(pieces)) != 6 && glob(pieces, text))
}

// void reports whether the pattern holds a variable that has neither a value
// nor a default.
func (p *pattern) void(r *request) bool {
	_, t := p.expand(r)
	return t == no
}

// bySegment compares two ARNs segment by segment; what hasn't six segments
// matches nothing.
func (p *pattern) bySegment(pieces []policy.Piece, text string) bool {
	parts := p.parts
	if p.vars {
		parts = segments(pieces)
	}
	if len(parts) != 6 {
		return false
	}
	for i, part := range parts {
		segment := text
		if i < 5 {
			var ok bool
			if segment, text, ok = strings.Cut(text, ":"); !ok {
				return false
			}
		}
		if !glob(part, segment) {
			return false
		}
	}
	return true
}

// segments divides pieces at the first five colons of their literals.
func segments(pieces []policy.Piece) [][]policy.Piece {
	parts := [][]policy.Piece{nil}
	for _, piece := range pieces {
		for piece.Kind == policy.Literal && len(parts) < 6 {
			before, after, ok := strings.Cut(piece.Text, ":")
			if !ok {
				break
			}
			if before != "" {
				last := len(parts) - 1
				parts[last] = append(parts[last], policy.Piece{Kind: policy.Literal, Text: before})
			}
			parts = append(parts, nil)
			piece.Text = after
		}
		if piece.Kind != policy.Literal || piece.Text != "" {
			last := len(parts) - 1
			parts[last] = append(parts[last], piece)
		}
	}
	return parts
}

// glob holds a text against literals and wildcards. A "?" doesn't stand for a
// symbol, of whose length nothing is known.
func glob(pieces []policy.Piece, s string) bool {
	at, star, mark := 0, -1, 0
	i := 0
	for {
		var ok bool
		switch {
		case at == len(pieces):
			if ok = i == len(s); ok {
				return true
			}
		case pieces[at].Kind == policy.AnyRun:
			star, mark = at, i
			at++
			continue
		case pieces[at].Kind == policy.AnyOne:
			c, size := utf8.DecodeRuneInString(s[i:])
			if ok = size > 0 && !policy.IsSymbol(c); ok {
				i += size
			}
		default:
			if ok = strings.HasPrefix(s[i:], pieces[at].Text); ok {
				i += len(pieces[at].Text)
			}
		}
		if ok {
			at++
			continue
		}
		if star < 0 || mark == len(s) {
			return false
		}
		_, size := utf8.DecodeRuneInString(s[mark:])
		mark += size
		at, i = star+1, mark
	}
}
