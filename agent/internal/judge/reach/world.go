package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/policy"
)

// placeKey names the places of an action: the same for all with the same kinds of
// resources.
type placeKey struct {
	kinds  int32 // -1: not in the catalogue
	family family
}

// templateKey names a type of resources of the catalogue, as a family of actions has it.
type templateKey struct {
	arn    string
	family family
}

// world is the places of all actions, the same for every set with the same
// buckets, access points, keys and roles.
type world struct {
	places    map[placeKey][]*place
	templates map[templateKey][]*place
	plain     *world // without the keys, roles and other resources whose policies are known; itself where there are none
}

// worldOf is the world of one set, whose keys, roles and other resources with policies
// are told by known. What they have no say in it shares with those without them.
func (s *Space) worldOf(surroundings, known string) *world {
	w := s.worlds[surroundings+known]
	if w != nil {
		return w
	}
	if len(s.worlds) > 16 {
		clear(s.worlds)
	}
	w = &world{places: map[placeKey][]*place{}, templates: map[templateKey][]*place{}}
	w.plain = w
	if known != "" {
		w.plain = s.worldOf(surroundings, "")
	}
	s.worlds[surroundings+known] = w
	return w
}

// worldFor is the world of a template: the plain one where no resource with policies of
// its own can be of its kind.
func (e *Engine) worldFor(r catalogue.ResourceType) *world {
	segs := policy.Segments(r.ARN)
	if len(segs) != 6 || strings.Contains(segs[2], "${") {
		return e.world
	}
	for _, k := range e.attached {
		if parts := policy.Segments(k.arn); len(parts) != 6 || parts[2] == segs[2] {
			return e.world
		}
	}
	return e.world.plain
}

// surroundings is everything that places hang on, but for the resources of
// knownOthers, as one text.
func (e *Engine) surroundings() string {
	parts := []string{e.partition, e.set.Subject.Account, e.bucket, e.set.BucketAccount}
	parts = append(append(parts, "buckets"), e.knownBuckets()...)
	arns, bucket := e.knownPoints()
	parts = append(parts, "points")
	for _, a := range arns {
		parts = append(parts, a, bucket[a])
	}
	parts = append(parts, "policies")
	for _, b := range e.knownBuckets() {
		if e.hasBucketPolicy(b) {
			parts = append(parts, b)
		}
	}
	for _, o := range e.others {
		parts = append(append(parts, "account", o.account, o.owner), o.but...)
	}
	return strings.Join(parts, "\x00")
}

// attachments is the resources of knownOthers as one text, "" where there are none.
func (e *Engine) attachments() string {
	var b strings.Builder
	for _, k := range e.attached {
		b.WriteString("\x00known\x00" + k.arn + "\x00" + string(k.kind))
	}
	return b.String()
}

// placesOf lists the places of an action; entry is nil for one that the catalogue
// doesn't know.
func (e *Engine) placesOf(a *asked) []*place {
	key := placeKey{kinds: -1, family: familyOf(a.lower)}
	entry := a.entry()
	if entry != nil {
		key.kinds = actionIndex().kinds[a.number]
	}
	if list, ok := e.world.places[key]; ok {
		return list
	}
	w := e.world
	if entry != nil && !slices.ContainsFunc(entry.Resources, func(r catalogue.ResourceType) bool { return e.worldFor(r) == e.world }) {
		w = e.world.plain
	}
	list, ok := w.places[key]
	if !ok {
		list = e.makePlaces(entry, key.family)
		w.places[key] = list
	}
	e.world.places[key] = list
	return list
}

// makePlaces makes the places of an action.
func (e *Engine) makePlaces(entry *catalogue.Action, of family) []*place {
	var found []*place
	switch {
	case entry == nil:
		found = e.everywhere()
	case len(entry.Resources) == 0:
		found = []*place{{shape: e.space.text("*"), hints: []string{"*"}, rank: 3}}
	default:
		for _, r := range entry.Resources {
			found = append(found, e.template(r, of)...)
		}
	}
	list := make([]*place, 0, len(found))
	for _, p := range found {
		if p.shape != nil && p.shape.Empty() || p.foreign && of == iamFamily { // IAM lets in nobody from outside
			continue
		}
		p.family = of
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b *place) int { return a.rank - b.rank })
	return list
}

// template lists the places of one type of resources of the catalogue, for a family of
// actions.
func (e *Engine) template(r catalogue.ResourceType, of family) []*place {
	w, key := e.worldFor(r), templateKey{r.ARN, of}
	if list, ok := w.templates[key]; ok {
		return list
	}
	segs := policy.Segments(r.ARN)
	var list []*place
	switch {
	case len(segs) != 6:
		list = e.everywhere()
	case segs[2] == "s3" && segs[3] == "" && segs[4] == "":
		list = e.bucketPlaces(strings.TrimPrefix(segs[5], "${BucketName}"))
	case segs[2] == "s3" && strings.HasPrefix(segs[5], "accesspoint/"):
		list = e.pointPlaces(segs)
	default:
		list = e.otherPlaces(segs)
	}
	w.templates[key] = list
	return list
}
