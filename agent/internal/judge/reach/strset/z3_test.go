package strset

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// regex is a set of texts for z3 and for a Space.
type regex struct {
	smt string
	set *Set
}

// smtPattern writes a pattern as z3 reads regular expressions.
func smtPattern(p []Token) string {
	parts := []string{`(str.to_re "")`}
	for _, t := range p {
		any := "re.allchar"
		if t.But != "" {
			any = fmt.Sprintf(`(re.diff re.allchar (str.to_re "%s"))`, t.But)
		}
		switch t.Kind {
		case Char:
			parts = append(parts, fmt.Sprintf(`(str.to_re "%c")`, t.R))
		case One:
			parts = append(parts, any)
		case Run:
			parts = append(parts, "(re.* "+any+")")
		}
	}
	return "(re.++ " + strings.Join(parts, " ") + ` (str.to_re ""))`
}

// randomRegex combines patterns by union, intersection, difference and
// complement.
func randomRegex(r *rand.Rand, s *Space, depth int) regex {
	if depth == 0 || r.IntN(5) == 0 {
		p := tokensOf(randomPattern(r))
		return regex{smtPattern(p), s.Glob(p, false)}
	}
	a := randomRegex(r, s, depth-1)
	if r.IntN(6) == 0 {
		return regex{"(re.comp " + a.smt + ")", s.Not(a.set)}
	}
	b := randomRegex(r, s, depth-1)
	switch r.IntN(3) {
	case 0:
		return regex{"(re.union " + a.smt + " " + b.smt + ")", s.Or(a.set, b.set)}
	case 1:
		return regex{"(re.inter " + a.smt + " " + b.smt + ")", s.And(a.set, b.set)}
	}
	return regex{"(re.diff " + a.smt + " " + b.smt + ")", s.Minus(a.set, b.set)}
}

// TestZ3HasTheSameSets asks another prover whether sets are empty, whether they
// are equal, what is in them, and whether there is a shorter text than ours.
func TestZ3HasTheSameSets(t *testing.T) {
	z3, err := exec.LookPath("z3")
	if err != nil {
		fmt.Println("SKIPPED: z3 isn't installed (Debian: apt install z3); nobody gave a third opinion on the automata")
		t.Skip("z3 isn't installed")
	}
	n := 150
	if testing.Short() {
		n = 20
	}
	if os.Getenv("BUZON_TEST") == "long" {
		n = 2000
	}
	r := rand.New(rand.NewPCG(3, 4))
	s := New()
	var script bytes.Buffer
	var want []string // sat or unsat, or "" for what follows of nothing
	var about []string
	ask := func(what, assert string, sat bool) {
		fmt.Fprintf(&script, "(push)\n(assert %s)\n(check-sat)\n(pop)\n", assert)
		want, about = append(want, map[bool]string{true: "sat", false: "unsat"}[sat]), append(about, what+": "+assert)
	}
	script.WriteString("(set-option :timeout 3000)\n(declare-const s String)\n")
	for range n {
		a, b := randomRegex(r, s, 2), randomRegex(r, s, 1)
		ask("empty", "(str.in_re s "+a.smt+")", !a.set.Empty())
		ask("equal", "(distinct (str.in_re s "+a.smt+") (str.in_re s "+b.smt+"))", a.set != b.set)
		ask("apart", "(and (str.in_re s "+a.smt+") (str.in_re s "+b.smt+"))", !s.Disjoint(a.set, b.set))
		if word, ok := s.Shortest(a.set); ok {
			ask("member", fmt.Sprintf(`(and (= s "%s") (str.in_re s %s))`, word, a.smt), true)
			ask("shorter", fmt.Sprintf("(and (str.in_re s %s) (< (str.len s) %d))", a.smt, len([]rune(word))), false)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, z3, "-in")
	cmd.Stdin = &script
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("z3: %v\n%.2000s", err, out)
	}
	got := strings.Fields(string(out))
	if len(got) != len(want) {
		t.Fatalf("z3 gave %d answers to %d questions: %.2000s", len(got), len(want), out)
	}
	unknown := 0
	for i := range got {
		switch got[i] {
		case want[i]:
		case "unknown":
			unknown++
		default:
			t.Errorf("z3 says %s, and not %s, of %s", got[i], want[i], about[i])
		}
	}
	fmt.Printf("z3 answered %d questions about automata, %d of them with unknown\n", len(got), unknown)
	if unknown > len(got)/10 {
		t.Errorf("z3 leaves %d of %d questions open", unknown, len(got))
	}
}
