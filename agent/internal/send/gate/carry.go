package gate

import "context"

// carries finds out whether objects may carry the storage class and the tags
// that the configuration gives them. Tags need s3:PutObjectTagging besides
// s3:PutObject; a class needs no right of its own, but a policy may bar it by
// s3:x-amz-storage-class (Service Authorization Reference, "Amazon S3"). The
// wrong checksum keeps the canary as it is.
func (p *pass) carries(ctx context.Context, key string) {
	a := p.put(ctx, put{key: key, wrong: true, owner: p.Owner, class: p.Class, tags: p.Tags})
	class := a
	if a.denied() && p.Tags != "" && p.Class != "" { // of which of the two?
		class = p.put(ctx, put{key: key, wrong: true, owner: p.Owner, class: p.Class})
	}
	fits := true
	if p.Class != "" {
		fits = p.carry(key, CheckClass, class, ClassOK, ClassDenied)
	}
	if p.Tags != "" && fits {
		fits = p.carry(key, CheckTags, a, TagsOK, TagsDenied)
	}
	p.memory.carry = fits
}

// carry judges the answer for one of the two, and tells whether it fits.
func (p *pass) carry(key string, id ID, a answer, ok, denied Outcome) bool {
	c := Check{ID: id, Status: OK, Asked: "PutObject " + key}
	p.explain(&c, a)
	switch {
	case a.ok(), a.badChecksum(), a.status == 412: // it was let through as far as the checksum, or the canary itself
		c.Outcome, c.Args = ok, map[string]string{}
	case a.denied():
		c.Status, c.Outcome = Failed, denied
	case a.code == "InvalidStorageClass" && p.Class != "":
		c.ID, c.Status, c.Outcome = CheckClass, Failed, ClassUnknown
	default:
		c.Status = Failed
	}
	c.Args["class"], c.Args["prefix"] = p.Class, p.Prefix
	p.report.add(c)
	return c.Status == OK
}

// carryUnproven says what more is needed where no canary is to find it out.
func (p *pass) carryUnproven() {
	if p.Class != "" {
		p.report.add(Check{ID: CheckClass, Status: Unproven, Outcome: ClassUnproven, Args: map[string]string{"class": p.Class}})
	}
	if p.Tags != "" {
		p.report.add(Check{ID: CheckTags, Status: Unproven, Outcome: TagsUnproven})
	}
}
