package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/reach/strset"
	"buzon/agent/policy"
)

// some is any text but the empty one; bucketName is what a name can be.
var (
	some       = []strset.Token{{Kind: strset.One}, {Kind: strset.Run}}
	bucketName = []strset.Token{{Kind: strset.One, But: separators}, {Kind: strset.Run, But: separators}}
)

// placeholders appends the tokens of a text of the catalogue, in which "${Name}"
// is any text but the empty one.
func placeholders(list []strset.Token, text string) []strset.Token {
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		for _, r := range before {
			if r == '*' {
				list = append(list, strset.Token{Kind: strset.Run})
			} else {
				list = append(list, strset.Token{Kind: strset.Char, R: r})
			}
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		switch name {
		case "BucketName", "AccessPointName":
			list = append(list, bucketName...)
		default:
			list = append(list, some...)
		}
		text = after
	}
	return list
}

// templateTokens are the tokens of an ARN of the catalogue, in which no
// placeholder but those of the last part holds a colon.
func templateTokens(segs []string) []strset.Token {
	var list []strset.Token
	for i, part := range segs {
		if i > 0 {
			list = append(list, strset.Token{Kind: strset.Char, R: ':'})
		}
		from := len(list)
		list = placeholders(list, part)
		if i == 5 {
			break
		}
		for k := from; k < len(list); k++ {
			if list[k].Kind != strset.Char {
				list[k].But += ":"
			}
		}
	}
	return list
}

// templateWith are the tokens of an ARN of the catalogue with a partition and an
// account.
func templateWith(segs []string, partition string, account []strset.Token) []strset.Token {
	front, back := slices.Clone(segs[:4]), slices.Clone(segs)
	front[1] = partition
	list := append(templateTokens(front), strset.Token{Kind: strset.Char, R: ':'})
	list = append(append(list, account...), strset.Token{Kind: strset.Char, R: ':'})
	return append(list, placeholders(nil, back[5])...)
}

// hintOf fills an ARN of the catalogue with names that are easy to read.
func hintOf(segs []string) string {
	parts := slices.Clone(segs)
	if strings.HasPrefix(parts[3], "${") {
		parts[3] = "us-east-1"
	}
	text := strings.Join(parts, ":")
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			return text
		}
		_, after, _ := strings.Cut(rest, "}")
		text = before + "x" + after
	}
}

func (e *Engine) bucketARN(name string) string { return "arn:" + e.partition + ":s3:::" + name }

// symbolTokens spells a text out with what its symbols could stand for.
func (e *Engine) symbolTokens(text string) []strset.Token {
	var list []strset.Token
	for _, r := range text {
		switch {
		case !policy.IsSymbol(r):
			list = append(list, strset.Token{Kind: strset.Char, R: r})
		case e.set.Symbols[r].Open:
			list = append(list, strset.Token{Kind: strset.Run})
		default:
			list = append(list, strset.Token{Kind: strset.One, But: separators}, strset.Token{Kind: strset.Run, But: separators})
		}
	}
	return list
}

// separators are what a name made by CloudFormation doesn't hold.
const separators = ":/*?"

func (e *Engine) hasOpen(text string) bool {
	for _, r := range text {
		if policy.IsSymbol(r) && e.set.Symbols[r].Open {
			return true
		}
	}
	return false
}
