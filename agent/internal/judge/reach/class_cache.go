package reach

import (
	"slices"
	"strings"

	"buzon/agent/internal/judge/catalogue"
	"buzon/agent/policy"
)

// classKey names the classes of resources of an action: the same for all with the same kinds of
// resources.
type classKey struct {
	kinds  int32 // -1: not in the catalogue
	family family
}

// templateKey names a type of resources of the catalogue, as a family of actions has it.
type templateKey struct {
	arn    string
	family family
}

// classCache is the classes of resources of all actions, the same for every set with the same
// buckets, access points, keys and roles.
type classCache struct {
	classes   map[classKey][]*resourceClass
	templates map[templateKey][]*resourceClass
	plain     *classCache // without the keys, roles and other resources whose policies are known; itself where there are none
}

// classCacheOf is the cache of one set, whose keys, roles and other resources with policies
// are told by known. What they have no say in it shares with those without them.
func (s *Space) classCacheOf(cacheKey, known string) *classCache {
	w := s.caches[cacheKey+known]
	if w != nil {
		return w
	}
	if len(s.caches) > 16 {
		clear(s.caches)
	}
	w = &classCache{classes: map[classKey][]*resourceClass{}, templates: map[templateKey][]*resourceClass{}}
	w.plain = w
	if known != "" {
		w.plain = s.classCacheOf(cacheKey, "")
	}
	s.caches[cacheKey+known] = w
	return w
}

// classCacheFor is the cache of a template: the plain one where no resource with policies of
// its own can be of its kind.
func (e *Engine) classCacheFor(r catalogue.ResourceType) *classCache {
	segs := policy.Segments(r.ARN)
	if len(segs) != 6 || strings.Contains(segs[2], "${") {
		return e.cache
	}
	for _, k := range e.attached {
		if parts := policy.Segments(k.arn); len(parts) != 6 || parts[2] == segs[2] {
			return e.cache
		}
	}
	return e.cache.plain
}

// cacheKey is everything that classes of resources hang on, but for the resources of
// knownOthers, as one text.
func (e *Engine) cacheKey() string {
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

// classesOf lists the classes of resources of an action; entry is nil for one that the catalogue
// doesn't know.
func (e *Engine) classesOf(a *asked) []*resourceClass {
	key := classKey{kinds: -1, family: familyOf(a.lower)}
	entry := a.entry()
	if entry != nil {
		key.kinds = actionIndex().kinds[a.number]
	}
	if list, ok := e.cache.classes[key]; ok {
		return list
	}
	w := e.cache
	if entry != nil && !slices.ContainsFunc(entry.Resources, func(r catalogue.ResourceType) bool { return e.classCacheFor(r) == e.cache }) {
		w = e.cache.plain
	}
	list, ok := w.classes[key]
	if !ok {
		list = e.makeClasses(entry, key.family)
		w.classes[key] = list
	}
	e.cache.classes[key] = list
	return list
}

// makeClasses makes the classes of resources of an action.
func (e *Engine) makeClasses(entry *catalogue.Action, of family) []*resourceClass {
	var found []*resourceClass
	switch {
	case entry == nil:
		found = e.everywhere()
	case len(entry.Resources) == 0:
		found = []*resourceClass{{shape: e.space.text("*"), hints: []string{"*"}, rank: 3}}
	default:
		for _, r := range entry.Resources {
			found = append(found, e.template(r, of)...)
		}
	}
	list := make([]*resourceClass, 0, len(found))
	for _, p := range found {
		if p.shape != nil && p.shape.Empty() || p.foreign && of == iamFamily { // IAM lets in nobody from outside
			continue
		}
		p.family = of
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b *resourceClass) int { return a.rank - b.rank })
	return list
}

// template lists the classes of resources of one type of resources of the catalogue, for a family of
// actions.
func (e *Engine) template(r catalogue.ResourceType, of family) []*resourceClass {
	w, key := e.classCacheFor(r), templateKey{r.ARN, of}
	if list, ok := w.templates[key]; ok {
		return list
	}
	segs := policy.Segments(r.ARN)
	var list []*resourceClass
	switch {
	case len(segs) != 6:
		list = e.everywhere()
	case segs[2] == "s3" && segs[3] == "" && segs[4] == "":
		list = e.bucketClasses(strings.TrimPrefix(segs[5], "${BucketName}"))
	case segs[2] == "s3" && strings.HasPrefix(segs[5], "accesspoint/"):
		list = e.pointClasses(segs)
	default:
		list = e.otherClasses(segs)
	}
	w.templates[key] = list
	return list
}
