package audit

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// merge makes one entry of the outcomes of each principal, the worst principal first.
// What stands in every outcome says so by an empty When.
func merge(outcomes []Principal) []Principal {
	var out []Principal
	at := map[string]int{}
	for i := range outcomes {
		p := &outcomes[i]
		p.mark()
		key := p.subject.Whose + " " + p.Bucket + "/" + p.Prefix
		if p.when == "" {
			out = append(out, *p)
			continue
		}
		first, there := at[key]
		if !there {
			at[key] = len(out)
			out = append(out, *p)
			continue
		}
		out[first].join(p)
	}
	for i := range out {
		out[i].unmark()
	}
	slices.SortStableFunc(out, func(a, b Principal) int {
		return cmp.Compare(rank(a.Verdict), rank(b.Verdict))
	})
	return out
}

func rank(v Verdict) int { return slices.Index(verdicts, v) }

// mark writes the outcome to everything that stands in it.
func (p *Principal) mark() {
	if p.when == "" {
		return
	}
	for i := range p.Findings {
		p.Findings[i].When = []string{p.when}
	}
	for i := range p.Undecided {
		p.Undecided[i].When = []string{p.when}
	}
	for i := range p.Grants {
		p.Grants[i].When = []string{p.when}
	}
}

// unmark takes the outcomes away again where they are all.
func (p *Principal) unmark() {
	all := func(when []string) []string {
		if len(when) == p.Outcomes {
			return nil
		}
		return when
	}
	for i := range p.Findings {
		p.Findings[i].When = all(p.Findings[i].When)
	}
	for i := range p.Undecided {
		p.Undecided[i].When = all(p.Undecided[i].When)
	}
	for i := range p.Grants {
		p.Grants[i].When = all(p.Grants[i].When)
	}
}

// join adds another outcome of the same principal.
func (p *Principal) join(other *Principal) {
	p.Outcomes++
	moved := p.joinSources(other)
	other.move(moved)
	if rank(other.Verdict) < rank(p.Verdict) {
		p.Verdict, p.subject, p.when, p.Environment = other.Verdict, other.subject, other.when, other.Environment
	}
	p.part = p.part || other.part
	for _, f := range other.Findings {
		if i := slices.IndexFunc(p.Findings, func(old Finding) bool { return old.same(&f) }); i >= 0 {
			p.Findings[i].When = append(p.Findings[i].When, f.When...)
		} else {
			p.Findings = append(p.Findings, f)
		}
	}
	sortFindings(p.Findings)
	for _, u := range other.Undecided {
		if i := slices.IndexFunc(p.Undecided, func(old Undecided) bool { return old.same(&u) }); i >= 0 {
			p.Undecided[i].When = append(p.Undecided[i].When, u.When...)
		} else {
			p.Undecided = append(p.Undecided, u)
		}
	}
	for _, g := range other.Grants {
		if i := slices.IndexFunc(p.Grants, func(old Grant) bool { return old.same(&g) }); i >= 0 {
			p.Grants[i].When = append(p.Grants[i].When, g.When...)
		} else {
			p.Grants = append(p.Grants, g)
		}
	}
	p.Allowed = unite(p.Allowed, other.Allowed)
	p.Assumptions = unite(p.Assumptions, other.Assumptions)
	p.Notes = unite(p.Notes, other.Notes)
}

func unite[T comparable](a, b []T) []T {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

// joinSources adds the documents of another outcome, and tells where each of them is
// now.
func (p *Principal) joinSources(other *Principal) []int {
	moved := make([]int, len(other.Sources))
	for i, src := range other.Sources {
		moved[i] = slices.IndexFunc(p.Sources, func(old Source) bool { return old.same(&src) })
		if moved[i] < 0 {
			moved[i] = len(p.Sources)
			p.Sources = append(p.Sources, src)
		}
	}
	return moved
}

// move lets everything that points to a source point to where it is now.
func (p *Principal) move(to []int) {
	shift := func(source *int) {
		if *source >= 0 && *source < len(to) {
			*source = to[*source]
		}
	}
	for i := range p.Findings {
		f := &p.Findings[i]
		f.Because, f.Through, f.Stops = slices.Clone(f.Because), slices.Clone(f.Through), slices.Clone(f.Stops)
		for _, list := range [][]Because{f.Because, f.Through} {
			for j := range list {
				shift(&list[j].Source)
			}
		}
		for j := range f.Stops {
			shift(&f.Stops[j].Source)
		}
	}
	for i := range p.Undecided {
		shift(&p.Undecided[i].Source)
	}
	for i := range p.Grants {
		shift(&p.Grants[i].Because.Source)
	}
	for i := range p.Notes {
		shift(&p.Notes[i].Source)
	}
}

// same reports whether two sources are one document.
func (s Source) same(other *Source) bool {
	s.document, other = nil, &Source{
		other.Kind, other.Name, other.ARN, other.Version, other.SHA256, other.File, other.Address, other.AsOf, other.Line, nil,
	}
	return s == *other
}

// place says where a reason stands, whatever its number in the document of its outcome.
func (b Because) place() string {
	src, st := b.In()
	if st == nil {
		return fmt.Sprint(b.Source, " ", b.Statement)
	}
	return strings.Join([]string{string(src.Kind), src.Name, src.ARN, src.File, fmt.Sprint(st.Pos.Line, " ", st.Pos.Column), b.Sid}, "\x00")
}

func places(list []Because) []string {
	out := make([]string, 0, len(list))
	for _, b := range list {
		out = append(out, b.place())
	}
	return out
}

// same reports whether two findings differ in nothing but their outcome. The witness
// may name what the outcome calls by another name.
func (f Finding) same(other *Finding) bool {
	return f.Rule == other.Rule && f.Detail == other.Detail && f.Missing == other.Missing &&
		slices.Equal(f.Actions, other.Actions) && slices.Equal(places(f.Because), places(other.Because)) &&
		slices.Equal(f.Lacks, other.Lacks) && (f.Waived == nil) == (other.Waived == nil)
}

func (u Undecided) same(other *Undecided) bool {
	return u.Reason == other.Reason && u.What == other.What && u.Rule == other.Rule && u.Permission == other.Permission &&
		u.Call == other.Call && u.Code == other.Code && u.File == other.File && u.Line == other.Line && u.Column == other.Column &&
		u.place() == other.place()
}

func (g Grant) same(other *Grant) bool {
	return g.Action == other.Action && g.Resource == other.Resource && g.NotAction == other.NotAction &&
		g.NotResource == other.NotResource && reflect.DeepEqual(g.Conditions, other.Conditions)
}

// place says in which account and partition all principals are, if that is one.
func (r *Report) place() {
	for i := range r.Principals {
		p := &r.Principals[i]
		if i == 0 {
			r.Account, r.Partition = p.Account, p.Partition
		}
		if r.Account != p.Account {
			r.Account = ""
		}
		if r.Partition != p.Partition {
			r.Partition = ""
		}
	}
}
