/** Where messages will be, while they are on their way. */
export function Skeleton() {
  return (
    <div className="space-y-6 px-4 py-4 md:px-6" aria-hidden="true">
      {[
        ['w-28', 'w-3/5'],
        ['w-20', 'w-2/5'],
        ['w-32', 'w-4/6'],
        ['w-24', 'w-1/2'],
        ['w-28', 'w-2/6'],
      ].map(([name, text], index) => (
        <div key={index} className="flex animate-shimmer gap-3.5">
          <div className="size-9 flex-none rounded-xl bg-press" />
          <div className="flex-1 space-y-2.5 pt-1">
            <div className={`h-3 rounded-full bg-press ${name}`} />
            <div className={`h-3 rounded-full bg-hover ${text}`} />
          </div>
        </div>
      ))}
    </div>
  )
}
