import fc from 'fast-check';

import { belongsToApplications, classifySessionKey, v4KeyNames, v5KeyNames } from '../../../src/convert/aspnet-session';

const classify = (name: string, braceless = false) => {
  const key = classifySessionKey(Buffer.from(name, 'latin1'), { braceless });
  return key && `${key.version} ${key.role} ${key.braced ? 'braced' : 'bare'} ${key.appId.toString('latin1')}`;
};

describe('classifySessionKey', () => {
  it.each([
    ['{/Shop_abc}_Data', '4 data braced /Shop_abc'],
    ['{/Shop_abc}_Internal', '4 internal braced /Shop_abc'],
    ['{/Shop_abc}_Write_Lock', '4 lock braced /Shop_abc'],
    ['{/Shop_abc}_SessionStateItemCollection', '5 data braced /Shop_abc'],
    ['{/Shop_abc}_SessionTimeout', '5 timeout braced /Shop_abc'],
    ['{/Shop_abc}_WriteLock', '5 lock braced /Shop_abc'],
    ['{/_abc}_Data', '4 data braced /_abc'],
    ['{my_app_x}_Data', '4 data braced my_app_x'],
    ['{a_{b}}_Data', '4 data braced a_{b}'],
    ['{a_\xff\0}_Data', '4 data braced a_\xff\0'],
    ['{a_b}_Data}_Data', '4 data braced a_b}_Data'],
  ])('%s', (name, expected) => {
    expect(classify(name)).toBe(expected);
    expect(classify(name, true)).toBe(expected);
  });

  it.each([
    '',
    '_Data',
    '{}_Data',
    '{abc}_Data',
    '{_abc}_Data',
    '{abc_}_Data',
    '{a_b}_data',
    '{a_b}_Data ',
    '{a_b}Data',
    'x{a_b}_Data',
    '{a_b}_Lock',
    '{a_b}',
  ])('%p is none', (name) => {
    expect(classify(name)).toBeUndefined();
  });

  it('names without braces only where asked for', () => {
    expect(classify('/Shop_abc_Data')).toBeUndefined();
    expect(classify('/Shop_abc_Data', true)).toBe('4 data bare /Shop_abc');
    expect(classify('/Shop_abc_Internal', true)).toBe('4 internal bare /Shop_abc');
    expect(classify('/Shop_abc_Write_Lock', true)).toBe('4 lock bare /Shop_abc');
    expect(classify('/Shop_abc_SessionTimeout', true)).toBeUndefined();
    expect(classify('abc_Data', true)).toBeUndefined();
  });

  it('finds the names that are built', () => {
    const appId = fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.uint8Array({ minLength: 1, maxLength: 24 }))
      .map(([application, id]) => Buffer.concat([application, Buffer.from('_'), id]));
    fc.assert(
      fc.property(appId, (id) => {
        const roles = (names: Record<string, Buffer>, braceless = false) =>
          Object.entries(names).map(([role, name]) => {
            const key = classifySessionKey(name, { braceless });
            expect(key?.appId.equals(id)).toBe(true);
            expect(key?.role).toBe(role);
            return key?.version;
          });
        expect(roles(v4KeyNames(id))).toEqual([4, 4, 4]);
        expect(roles(v5KeyNames(id))).toEqual([5, 5, 5]);
        if (id[0] !== 0x7b) expect(roles(v4KeyNames(id, false), true)).toEqual([4, 4, 4]);
      }),
    );
  });
});

describe('belongsToApplications', () => {
  it.each([
    ['/Shop_abc', ['/Shop'], true],
    ['/Shop_abc', ['/Other', '/Shop'], true],
    ['/Shop_abc', ['/'], false],
    ['/_abc', ['/'], true],
    ['/Shop_abc', ['/shop'], false],
    ['/Shopping_abc', ['/Shop'], false],
    ['/Shop_', ['/Shop'], false],
    ['/Shop_Admin_abc', ['/Shop'], true],
    ['/Shop_Admin_abc', ['/Shop_Admin'], true],
    ['/Café_abc', ['/Café'], true],
    ['/Shop_abc', [], false],
  ])('%s of %j: %s', (appId, applications, expected) => {
    expect(belongsToApplications(Buffer.from(appId), applications)).toBe(expected);
  });
});
