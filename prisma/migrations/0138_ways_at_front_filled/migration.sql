-- Copies that are there already: the trigger of 0138 says of each whether the vendor has approved it. Until then none is. Not in one transaction with the column:
-- to add one keeps everybody out until the commit.
UPDATE clients AS c SET approved_at_front = false FROM issuers AS i WHERE i.tenant_id = c.tenant_id AND i.id = c.issuer_id AND i.kind = 'front_member';
